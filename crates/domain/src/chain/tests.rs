//! Known hashes, and chains that are tampered with in every way.

use proptest::prelude::*;

use super::*;

fn event(position: i64) -> Event {
    Event {
        position,
        id: position + 100,
        at: "2026-01-31T23:59:59.123456Z".into(),
        organization: Some(7),
        actor: Some(3),
        request: "00000000-0000-4000-8000-000000000001".into(),
        kind: "alias.set".into(),
        subject: "Collection:5".into(),
        project: Some(2),
        collection: Some(5),
        before: None,
        after: Some(r#"{"alias": "é", "version": 9}"#.into()),
    }
}

fn sealed(events: &[Event]) -> Vec<Sealed> {
    let mut previous = BEGINNING;
    let events = events.iter().map(|event| {
        previous = event.hash(&previous);
        Sealed { event: event.clone(), hash: previous.to_hex() }
    });
    events.collect()
}

fn chain(length: i64) -> Vec<Sealed> {
    sealed(&(1..=length).map(event).collect::<Vec<_>>())
}

fn end(chain: &[Sealed]) -> Vec<End> {
    let last = chain.last().unwrap();
    let hash = Sha256::from_hex(&last.hash).unwrap();
    vec![End { organization: last.event.organization, position: last.event.position, hash }]
}

fn checkpoint(sealed: &Sealed) -> Checkpoint {
    let event = &sealed.event;
    let at = "2026-02-01T00:00:00Z".into();
    Checkpoint { organization: event.organization, position: event.position, hash: sealed.hash.clone(), at }
}

fn verified(chain: &[Sealed], checkpoints: Vec<Checkpoint>, ends: Option<Vec<End>>) -> Report {
    let mut verifier = Verifier::new(checkpoints, ends);
    for sealed in chain {
        verifier.event(sealed);
    }
    let mut reports = verifier.finish();
    assert_eq!(reports.len(), 1);
    reports.remove(0)
}

/// The numbers are those that `sha256sum` says of the bytes that docs/audit.md describes.
#[test]
fn known_bytes_and_hashes() {
    let first = event(1);
    let bytes = "1:13:10127:2026-01-31T23:59:59.123456Z1:71:336:00000000-0000-4000-8000-0000000000019:alias.set\
                 12:Collection:51:21:5-29:{\"alias\": \"é\", \"version\": 9}";
    assert_eq!(String::from_utf8(first.bytes()).unwrap(), bytes);
    assert_eq!(first.hash(&BEGINNING).to_hex(), "5b7c03b5c021a7efbfb324ada45b107fbfea527547e4a34e20d8d9dece1fdb05");
    assert_eq!(
        event(2).hash(&first.hash(&BEGINNING)).to_hex(),
        "bfdd3327b2400298eac3426a75f3febf136ef4aacdec35f49317871363845cc8"
    );
}

#[test]
fn a_line_of_an_export_comes_back() {
    let sealed = chain(1).remove(0);
    let line = serde_json::to_string(&sealed).unwrap();
    assert!(
        line.starts_with(r#"{"position":1,"id":101,"at":"2026-01-31T23:59:59.123456Z","organization":7,"actor":3,"#),
        "{line}"
    );
    assert_eq!(serde_json::from_str::<Sealed>(&line).unwrap(), sealed);
}

#[test]
fn what_a_sentence_says() {
    let chain = chain(9);
    let says = |report: Report| report.problem.unwrap().to_string();
    let mut edited = chain.clone();
    edited[3].event.actor = Some(4);
    assert_eq!(
        says(verified(&edited, vec![], None)),
        "event 104 (alias.set of Collection:5, 2026-01-31T23:59:59.123456Z) at position 4 isn't what was sealed there: it was \
         changed, moved or put there, or the hash before it was"
    );
    let without = [&chain[..3], &chain[4..]].concat();
    assert_eq!(says(verified(&without, vec![], None)), "the event at position 4 was removed: the chain goes on behind it");
    let without = [&chain[..3], &chain[6..]].concat();
    assert_eq!(
        says(verified(&without, vec![], None)),
        "the events at positions 4 to 6 were removed: the chain goes on behind it"
    );
    let cut = verified(&chain[..7], vec![], Some(end(&chain)));
    assert_eq!(says(cut), "the events at positions 8 to 9 were removed from the chain's end");
    let cut = verified(&chain[..8], vec![checkpoint(&chain[8])], None);
    assert_eq!(
        says(cut),
        "the event at position 9 was removed from the chain's end, which had got to position 9 by the checkpoint of 2026-02-01T00:00:00Z"
    );
    assert!(says(verified(&chain, vec![], Some(end(&chain[..8])))).ends_with("was added behind the chain's end, at position 9"));
    let unkept = verified(&chain, vec![], Some(vec![]));
    assert_eq!(
        says(unkept),
        "its end isn't kept any more, and its events hold up to position 9: its row of audit_chains was removed"
    );
    let lowered = verified(&chain, vec![checkpoint(&chain[7])], Some(end(&chain[..3])));
    assert_eq!(
        says(lowered),
        "its end is kept as position 3, and by the checkpoints its events hold up to position 9: its row of audit_chains was changed"
    );
    // What is wrong before or behind is worse than that.
    assert!(says(verified(&edited, vec![], Some(vec![]))).starts_with("event 104 "));
    let added = verified(&edited, vec![], Some(end(&chain[..2])));
    assert!(says(added).ends_with("was added behind the chain's end, at position 3"));
    let twice = [&chain[..5], &chain[4..]].concat();
    assert!(says(verified(&twice, vec![], None)).ends_with("was added: its position 5 isn't the one that follows"));
    let mut other: Vec<Event> = chain.iter().map(|sealed| sealed.event.clone()).collect();
    other[5].actor = None;
    let other = sealed(&other);
    let points = vec![checkpoint(&chain[1]), checkpoint(&chain[6]), checkpoint(&chain[8])];
    let report = verified(&other, points.clone(), Some(end(&other)));
    assert_eq!(
        says(report),
        "the chain was rewritten at or before position 7, after position 2: the checkpoint of 2026-02-01T00:00:00Z has another \
         hash there"
    );
    let report = verified(&other, vec![], Some(end(&chain)));
    assert_eq!(says(report), "the chain was rewritten at or before position 9: its last event was sealed with another hash");
    let report = verified(&chain, points, Some(end(&chain)));
    assert_eq!((report.events, report.position, report.checkpoints, report.problem), (9, 9, 3, None));
}

/// Events are sealed in the order of their commits, a moment after them: one that says that it is a day older was put there.
#[test]
fn an_event_with_an_old_time_is_named() {
    for (at, named) in [("2026-01-31T00:00:00.000000Z", false), ("2026-01-30T00:00:00.000000Z", true)] {
        let mut events: Vec<Event> = (1..=9).map(event).collect();
        events[6].at = at.into();
        events[7].at = at.into();
        let chain = sealed(&events);
        let report = verified(&chain, vec![], Some(end(&chain)));
        assert_eq!((report.problem.clone(), report.position), (None, 9), "the chain itself holds");
        assert_eq!(report.backdated.as_ref().map(|event| event.position), named.then_some(7));
        assert_eq!(report.sound(), !named);
    }
}

/// A chain that is gone as a whole is missed by its checkpoints.
#[test]
fn a_chain_without_events_is_missed() {
    let chain = chain(3);
    assert_eq!(
        verified(&[], vec![checkpoint(&chain[2])], Some(vec![])).problem.unwrap().to_string().split(',').next().unwrap(),
        "the events at positions 1 to 3 were removed from the chain's end"
    );
}

fn optional<T: std::fmt::Debug + Clone + 'static>(of: impl Strategy<Value = T> + 'static) -> BoxedStrategy<Option<T>> {
    prop_oneof![Just(None), of.prop_map(Some)].boxed()
}

/// Texts that look like the framing itself.
fn any_event() -> impl Strategy<Value = Event> {
    let text = || "[-0-9:a]{0,4}";
    let number = || 0..12i64;
    (
        (number(), number(), text(), optional(number()), optional(number()), text()),
        (text(), text(), optional(number()), optional(number()), optional(text()), optional(text())),
    )
        .prop_map(
            |((position, id, at, organization, actor, request), (kind, subject, project, collection, before, after))| Event {
                position,
                id,
                at,
                organization,
                actor,
                request,
                kind,
                subject,
                project,
                collection,
                before,
                after,
            },
        )
}

proptest! {
    #[test]
    fn different_events_have_different_bytes(one in any_event(), other in any_event()) {
        prop_assert_eq!(one.bytes() == other.bytes(), one == other);
    }

    #[test]
    fn whatever_is_done_to_an_untouched_chain_is_found(
        length in 2..30i64, at in any::<prop::sample::Index>(), other in any::<prop::sample::Index>(), what in 0..7usize,
    ) {
        let whole = chain(length);
        let (at, other) = (at.index(whole.len()), other.index(whole.len()));
        prop_assert_eq!(verified(&whole, vec![], None).problem, None);
        let mut chain = whole.clone();
        match what {
            0 => chain[at].event.after = None,
            1 => chain[at].event.at.push('0'),
            2 => chain[at].hash = BEGINNING.to_hex(),
            3 => { chain.remove(at); }
            4 => {
                if at == other { return Ok(()); }
                let position = |sealed: &Sealed| sealed.event.position;
                let (one, two) = (position(&chain[at]), position(&chain[other]));
                chain.swap(at, other);
                (chain[at].event.position, chain[other].event.position) = (one, two);
            }
            5 => chain.insert(at, whole[other].clone()),
            _ => {
                // Changed, with its own hash made to fit: the next one doesn't.
                chain[at].event.actor = None;
                let previous = at.checked_sub(1).map_or(BEGINNING, |before| Sha256::from_hex(&chain[before].hash).unwrap());
                chain[at].hash = chain[at].event.hash(&previous).to_hex();
            }
        }
        let report = verified(&chain, vec![], Some(end(&whole)));
        let first = if what == 4 { at.min(other) } else { at };
        prop_assert!(report.problem.is_some());
        let expected = match what {
            // The same before itself: the first of the two stands where it stood.
            5 if other == at => at as i64 + 1,
            // Without one behind it nothing is wrong but the chain's end.
            6 => at as i64 + 1,
            _ => first as i64,
        };
        prop_assert_eq!(report.position, expected, "what holds ends before position {}", first + 1);
    }

    #[test]
    fn a_chain_that_is_rewritten_is_found_by_any_checkpoint_behind_it(
        length in 1..30i64, from in any::<prop::sample::Index>(), point in any::<prop::sample::Index>(),
    ) {
        let whole = chain(length);
        let (from, point) = (from.index(whole.len()), point.index(whole.len()));
        let mut events: Vec<Event> = whole.iter().map(|sealed| sealed.event.clone()).collect();
        events[from].kind.push('x');
        let other = sealed(&events);
        let found = verified(&other, vec![checkpoint(&whole[point])], Some(end(&other))).problem;
        prop_assert_eq!(found.is_some(), from <= point);
    }
}
