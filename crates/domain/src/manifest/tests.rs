use std::convert::Infallible;
use std::io;

use proptest::prelude::*;
use serde_json::json;

use super::*;

const EMPTY_MD5: &str = "1B2M2Y8AsgTpgAmY7PhCfg==";

type Parsed = Result<(ManifestHeader, Vec<ManifestEntry>), ManifestError>;

fn parse_within(json: impl Read, limits: &ManifestLimits) -> Parsed {
    let mut entries = Vec::new();
    let header = parse_manifest::<_, Infallible>(json, limits, &mut |entry| {
        entries.push(entry);
        Ok(())
    });
    match header {
        Ok(header) => Ok((header, entries)),
        Err(ParseFailure::Manifest(error)) => Err(error),
        Err(ParseFailure::Sink(never)) => match never {},
    }
}

fn parse(json: impl AsRef<[u8]>) -> Parsed {
    parse_within(json.as_ref(), &ManifestLimits::default())
}

fn with_contents(contents: &str) -> String {
    format!(r#"{{"version":1,"storagePolicy":"wandb-storage-policy-v1","contents":{contents}}}"#)
}

fn with_entry(entry: &str) -> String {
    with_contents(&format!(r#"{{"a.txt":{entry}}}"#))
}

#[test]
fn a_manifest_as_clients_write_it() {
    let (header, entries) = parse(
        r#"{
            "version": 1,
            "storagePolicy": "wandb-storage-policy-v1",
            "storagePolicyConfig": {"storageLayout": "V2", "storageRegion": "minio-local", "other": [1]},
            "contents": {
                "dir/my file.txt": {
                    "digest": "1B2M2Y8AsgTpgAmY7PhCfg==", "size": 12, "birthArtifactID": "QXJ0aWZhY3Q6Mw==",
                    "local_path": "/home/alice/my file.txt", "skip_cache": true,
                    "extra": { "z": 9007199254740993, "a": [1e400000] }, "unknown": {"x": [null]}
                },
                "b\u00e9": {"digest": "etag-1", "ref": "s3://bucket/b?versionId=1", "size": 30, "extra": {}},
                "c": {"digest": "file:///data/c", "ref": "file:///data/c"}
            },
            "more": {"contents": {"x": 1}}
        }"#,
    )
    .unwrap();
    assert_eq!(header, ManifestHeader { entries: 3, size: 42, storage_region: Some("minio-local".to_owned()) });
    assert_eq!(
        entries[0],
        ManifestEntry {
            path: EntryPath::parse("dir/my file.txt").unwrap(),
            content: EntryContent::File { md5: Md5::of(b"") },
            size: 12,
            birth_artifact: Some("QXJ0aWZhY3Q6Mw==".to_owned()),
            extra: Some("{ \"z\": 9007199254740993, \"a\": [1e400000] }".to_owned()),
            skip_cache: true,
        }
    );
    assert_eq!(entries[0].content.digest_text(), EMPTY_MD5);
    assert_eq!(entries[1].path.as_str(), "bé");
    assert_eq!(entries[1].content.digest_text(), "etag-1");
    assert_eq!(entries[1].extra.as_deref(), Some("{}"));
    assert_eq!(
        entries[2].content,
        EntryContent::Reference { uri: "file:///data/c".to_owned(), digest: "file:///data/c".to_owned() }
    );
    assert_eq!((entries[2].size, entries[2].skip_cache), (0, false));
}

#[test]
fn the_order_of_the_keys_does_not_matter_and_null_is_absent() {
    let (header, entries) = parse(
        r#"{"contents":{"a":{"skip_cache":null,"extra":null,"ref":null,"birthArtifactID":null,"size":null,
            "local_path":null,"digest":"1B2M2Y8AsgTpgAmY7PhCfg=="}},
            "storagePolicyConfig":{"storageLayout":null,"storageRegion":null},
            "storagePolicy":"wandb-storage-policy-v1","version":1}"#,
    )
    .unwrap();
    assert_eq!(header, ManifestHeader { entries: 1, size: 0, storage_region: None });
    assert_eq!((&entries[0].birth_artifact, &entries[0].extra), (&None, &None));
    assert_eq!(parse(with_contents("{}")).unwrap().0.entries, 0);
    let nothing = r#"{"digest":"1B2M2Y8AsgTpgAmY7PhCfg==","ref":"","birthArtifactID":""}"#;
    let (_, entries) = parse(with_entry(nothing)).unwrap();
    assert_eq!(entries[0].content, EntryContent::File { md5: Md5::of(b"") });
    assert_eq!(entries[0].birth_artifact, None);
}

#[test]
fn what_another_kind_of_server_would_take_is_refused() {
    let policy = "wandb-storage-policy-v1";
    for (manifest, part) in [
        (json!({"storagePolicy": policy, "contents": {}}), "no \"version\""),
        (json!({"version": 1, "contents": {}}), "no \"storagePolicy\""),
        (json!({"version": 1, "storagePolicy": policy}), "no \"contents\""),
        (json!({"version": 2, "storagePolicy": policy, "contents": {}}), "version 2"),
        (json!({"version": "1", "storagePolicy": policy, "contents": {}}), "version \"1\""),
        (json!({"version": 1.5, "storagePolicy": policy, "contents": {}}), "version 1.5"),
        (json!({"version": null, "storagePolicy": policy, "contents": {}}), "version null"),
        (json!({"version": 1, "storagePolicy": "other", "contents": {}}), "storagePolicy \"other\""),
        (json!({"version": 1, "storagePolicy": policy, "storagePolicyConfig": [], "contents": {}}), "storagePolicyConfig"),
        (
            json!({"version": 1, "storagePolicy": policy, "storagePolicyConfig": {"storageLayout": "V1"}, "contents": {}}),
            "storageLayout \"V1\"",
        ),
        (
            json!({"version": 1, "storagePolicy": policy, "storagePolicyConfig": {"storageRegion": "coreweave-us"}, "contents": {}}),
            "\"coreweave-us\"",
        ),
        (
            json!({"version": 1, "storagePolicy": policy, "storagePolicyConfig": {"storageRegion": 7}, "contents": {}}),
            "storageRegion 7",
        ),
        (json!({"version": 1, "storagePolicy": policy, "contents": []}), "contents"),
        (json!({"version": 1, "storagePolicy": policy, "contents": null}), "contents"),
        (json!([1]), "a manifest object"),
        (json!("x"), "a manifest object"),
    ] {
        let error = parse(manifest.to_string()).unwrap_err().to_string();
        assert!(error.contains(part), "{manifest} {error}");
    }
}

#[test]
fn text_that_is_no_manifest_is_refused() {
    let good = with_contents("{}");
    for text in [
        String::new(),
        "{".to_owned(),
        "null".to_owned(),
        format!("{good}x"),
        format!("{good}{good}"),
        format!("\u{feff}{good}"),
        good.replace("\"contents\"", "contents"),
        good.replace("{}", "{,}"),
        good[..good.len() - 1].to_owned(),
    ] {
        assert!(matches!(parse(&text), Err(ManifestError::Json(_))), "{text}");
    }
    assert!(parse(format!(" \n{good} \t\n")).is_ok());
    assert!(matches!(parse(b"\xff\xfe{}"), Err(ManifestError::Json(_))));
}

#[test]
fn keys_may_stand_once() {
    for key in ["version", "storagePolicy", "storagePolicyConfig", "contents"] {
        let manifest = format!(
            r#"{{"version":1,"storagePolicy":"wandb-storage-policy-v1","storagePolicyConfig":{{}},"contents":{{}},"{key}":{}}}"#,
            match key {
                "version" => "1",
                "storagePolicy" => "\"wandb-storage-policy-v1\"",
                _ => "{}",
            }
        );
        assert_eq!(parse(manifest), Err(ManifestError::Twice(format!("\"{key}\""))));
    }
    let twice = format!(r#"{{"digest":"{EMPTY_MD5}","digest":"{EMPTY_MD5}"}}"#);
    assert!(matches!(parse(with_entry(&twice)), Err(ManifestError::Entry { .. })));
    // Entries are not compared with each other here.
    let entry = format!(r#"{{"digest":"{EMPTY_MD5}"}}"#);
    assert_eq!(parse(with_contents(&format!(r#"{{"a":{entry},"a":{entry}}}"#))).unwrap().1.len(), 2);
}

#[test]
fn rule_37_paths_are_checked() {
    for path in ["../a", "/a", "a//b", "a/./b", "C:/a", "", "a\\\\b", "a\\u0000b", "a\\nb", &"x/".repeat(3000)] {
        let manifest = with_contents(&format!(r#"{{"ok":{{"digest":"{EMPTY_MD5}"}},"{path}":{{}}}}"#));
        assert!(matches!(parse(manifest), Err(ManifestError::Path(_))), "{path}");
    }
}

#[test]
fn entries_are_checked_and_the_error_names_the_path() {
    let long = "x".repeat(16 * 1024);
    for (entry, part) in [
        ("1".to_owned(), "invalid type"),
        ("null".to_owned(), "invalid type"),
        (format!(r#"["{EMPTY_MD5}",0,null,null,null,null]"#), "invalid type"),
        ("{}".to_owned(), "no digest"),
        (r#"{"digest":null}"#.to_owned(), "no digest"),
        (r#"{"digest":"","ref":"s3://b/a"}"#.to_owned(), "no digest"),
        (r#"{"digest":1}"#.to_owned(), "invalid type"),
        (r#"{"digest":"d41d8cd98f00b204e9800998ecf8427e"}"#.to_owned(), "no MD5"),
        (r#"{"digest":"1B2M2Y8AsgTpgAmY7PhCfg"}"#.to_owned(), "no MD5"),
        (format!(r#"{{"digest":"{EMPTY_MD5}","size":-1}}"#), "the size -1"),
        (format!(r#"{{"digest":"{EMPTY_MD5}","size":1.5}}"#), "invalid type"),
        (format!(r#"{{"digest":"{EMPTY_MD5}","size":"1"}}"#), "invalid type"),
        (format!(r#"{{"digest":"{EMPTY_MD5}","size":9223372036854775808}}"#), "9223372036854775808"),
        (format!(r#"{{"digest":"{EMPTY_MD5}","size":1e400}}"#), "number out of range"),
        (format!(r#"{{"digest":"{EMPTY_MD5}","skip_cache":1}}"#), "invalid type"),
        (format!(r#"{{"digest":"{EMPTY_MD5}","extra":[]}}"#), "not an object"),
        (format!(r#"{{"digest":"{EMPTY_MD5}","extra":"{{}}"}}"#), "not an object"),
        (format!(r#"{{"digest":"{EMPTY_MD5}","extra":{{"a":"\u0000"}}}}"#), "NUL"),
        (format!(r#"{{"digest":"{EMPTY_MD5}","extra":{{"a":"\ud800"}}}}"#), "surrogate"),
        (format!(r#"{{"digest":"{EMPTY_MD5}","extra":{{"a":{}{}}}}}"#, "[".repeat(64), "]".repeat(64)), "too deeply"),
        (format!(r#"{{"digest":"{EMPTY_MD5}","extra":{{"a":{}{}}}}}"#, "[".repeat(30_000), "]".repeat(30_000)), "too deeply"),
        (format!(r#"{{"digest":"{EMPTY_MD5}","extra":{{"a":"{long}{long}{long}{long}"}}}}"#), "64 KiB"),
        (format!(r#"{{"digest":"{EMPTY_MD5}","birthArtifactID":"{long}"}}"#), "birth artifact"),
        (format!(r#"{{"digest":"{EMPTY_MD5}","birthArtifactID":"\u0000"}}"#), "birth artifact"),
        (format!(r#"{{"digest":"d","ref":"{long}x"}}"#), "16 KiB"),
        (r#"{"digest":"d","ref":"s3://\u0000"}"#.to_owned(), "NUL"),
        (format!(r#"{{"digest":"{long}","ref":"s3://b/a"}}"#), "1 KiB"),
        (r#"{"digest":"d\nb:d","ref":"s3://b/a"}"#.to_owned(), "control character"),
    ] {
        let error = parse(with_entry(&entry)).unwrap_err();
        assert!(matches!(&error, ManifestError::Entry { path, .. } if path == "\"a.txt\""), "{error:?}");
        assert!(error.to_string().contains(part), "{entry:.100} {error}");
    }
    for entry in [
        format!(r#"{{"digest":"{long}","ref":"{long}"}}"#),
        format!(r#"{{"digest":"{}","ref":"s3://b/a"}}"#, &long[..1024]),
        format!(r#"{{"digest":"{EMPTY_MD5}","size":9223372036854775807}}"#),
        format!(r#"{{"digest":"{EMPTY_MD5}","extra":{{"a":{}{}}}}}"#, "[".repeat(63), "]".repeat(63)),
    ] {
        assert!(parse(with_entry(&entry)).is_ok(), "{entry:.100}");
    }
}

#[test]
fn sizes_that_no_storage_holds_are_refused() {
    let entry = format!(r#"{{"digest":"{EMPTY_MD5}","size":{}}}"#, i64::MAX);
    let manifest = with_contents(&format!(r#"{{"a":{entry},"b":{entry}}}"#));
    assert_eq!(parse(manifest), Err(ManifestError::SizeOverflow));
}

/// A beginning, then one piece over and over; counts what is read, and fails the test that reads on and on.
struct Endless<'a> {
    begin: &'a [u8],
    piece: &'a [u8],
    at: usize,
}

impl Read for Endless<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        assert!(self.at < 64 << 20, "nobody stops reading");
        for byte in buffer.iter_mut() {
            *byte = match self.begin.get(self.at) {
                Some(byte) => *byte,
                None => self.piece[(self.at - self.begin.len()) % self.piece.len()],
            };
            self.at += 1;
        }
        Ok(buffer.len())
    }
}

#[test]
fn an_item_without_end_is_given_up_soon() {
    let good = with_contents("{}");
    for (begin, piece) in [
        ("", " "),
        ("{\"", "x"),
        ("{\"version\":", "1"),
        ("{\"version\":", "[0,"),
        ("{\"unknown\":\"", "x"),
        ("{\"unknown\":", "["),
        ("{\"storagePolicy\":\"", "x"),
        ("{\"storagePolicyConfig\":{\"storageRegion\":\"", "x"),
        ("{\"contents\":{", " "),
        ("{\"contents\":{\"", "x"),
        ("{\"contents\":{\"a\":{\"digest\":\"", "x"),
        ("{\"contents\":{\"a\":{\"size\":", "0"),
        ("{\"contents\":{\"a\":{\"size\":1", "0"),
        ("{\"contents\":{\"a\":{\"local_path\":\"", "x"),
        ("{\"contents\":{\"a\":{\"local_path\":", "{\"a\":"),
        ("{\"contents\":{\"a\":{\"extra\":", "{\"a\":"),
        ("{\"contents\":{\"a\":{\"extra\":{\"a\":\"", "x"),
        (&good, " "),
    ] {
        let mut reader = Endless { begin: begin.as_bytes(), piece: piece.as_bytes(), at: 0 };
        parse_within(&mut reader, &ManifestLimits::default()).unwrap_err();
        let most = 2 * usize::try_from(limited::MAX_ITEM_BYTES).unwrap();
        assert!(reader.at < most, "{begin}{piece}… read {}", reader.at);
    }
    let mut reader = Endless { begin: b"{\"contents\":{\"", piece: b"x", at: 0 };
    let error = parse_within(&mut reader, &ManifestLimits::default()).unwrap_err();
    assert_eq!(error, ManifestError::ItemTooLong(limited::MAX_ITEM_BYTES));
}

#[test]
fn entries_without_end_meet_the_limits() {
    let piece = format!(r#""a":{{"digest":"{EMPTY_MD5}","size":1}},"#);
    let endless = || Endless { begin: b"{\"contents\":{", piece: piece.as_bytes(), at: 0 };
    let mut taken = 0u64;
    let limits = ManifestLimits { max_entries: 100_000, max_bytes: u64::MAX };
    let end = parse_manifest::<_, Infallible>(endless(), &limits, &mut |_| {
        taken += 1;
        Ok(())
    });
    assert_eq!(end, Err(ParseFailure::Manifest(ManifestError::TooManyEntries(100_000))));
    assert_eq!(taken, 100_000);

    let limits = ManifestLimits { max_entries: u64::MAX, max_bytes: 1_000_000 };
    assert_eq!(parse_within(endless(), &limits), Err(ManifestError::TooLong(1_000_000)));

    // Exactly at the limits all is well.
    let good = with_entry(&format!(r#"{{"digest":"{EMPTY_MD5}"}}"#));
    let limits = ManifestLimits { max_entries: 1, max_bytes: good.len() as u64 };
    assert!(parse_within(good.as_bytes(), &limits).is_ok());
    let limits = ManifestLimits { max_entries: 1, max_bytes: good.len() as u64 - 1 };
    assert_eq!(parse_within(good.as_bytes(), &limits), Err(ManifestError::TooLong(limits.max_bytes)));
}

#[test]
fn the_receiver_can_stop_it_and_a_reader_can_fail() {
    let entry = format!(r#"{{"digest":"{EMPTY_MD5}"}}"#);
    let manifest = with_contents(&format!(r#"{{"a":{entry},"b":{entry},"c":{entry}}}"#));
    let mut seen = Vec::new();
    let end = parse_manifest(manifest.as_bytes(), &ManifestLimits::default(), &mut |entry| {
        seen.push(entry.path.to_string());
        if seen.len() == 2 { Err("full") } else { Ok(()) }
    });
    assert_eq!(end, Err(ParseFailure::Sink("full")));
    assert_eq!(seen, ["a", "b"]);

    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::new(ErrorKind::TimedOut, "the disk is gone"))
        }
    }
    let error = parse_within(manifest.as_bytes()[..150].chain(Broken), &ManifestLimits::default()).unwrap_err();
    assert!(matches!(error, ManifestError::Read { kind: ErrorKind::TimedOut, .. }), "{error:?}");
}

fn entry_strategy() -> impl Strategy<Value = ManifestEntry> {
    let content = prop_oneof![
        any::<[u8; 16]>().prop_map(|md5| EntryContent::File { md5: Md5(md5) }),
        ("[^\0]{1,30}", "\\PC{1,20}").prop_map(|(uri, digest)| EntryContent::Reference { uri, digest }),
    ];
    let path = "[a-zé\"' %]{1,8}(/[a-z.]{3,8}x){0,3}".prop_map(|path| EntryPath::parse(&path).unwrap());
    let extra = proptest::option::of("[^\0\\\\\"]{0,10}".prop_map(|text| json!({ text: 1 }).to_string()));
    (path, content, 0..1_000_000i64, proptest::option::of("[A-Za-z0-9=]{1,20}"), extra, any::<bool>()).prop_map(
        |(path, content, size, birth_artifact, extra, skip_cache)| ManifestEntry {
            path,
            content,
            size,
            birth_artifact,
            extra,
            skip_cache,
        },
    )
}

fn written(entries: &[ManifestEntry]) -> String {
    let contents: Vec<String> = entries
        .iter()
        .map(|entry| {
            let uri = match &entry.content {
                EntryContent::File { .. } => None,
                EntryContent::Reference { uri, .. } => Some(uri),
            };
            format!(
                r#"{}:{{"digest":{},"ref":{},"size":{},"birthArtifactID":{},"extra":{},"skip_cache":{}}}"#,
                json!(entry.path.as_str()),
                json!(entry.content.digest_text()),
                json!(uri),
                entry.size,
                json!(entry.birth_artifact),
                entry.extra.as_deref().unwrap_or("null"),
                entry.skip_cache
            )
        })
        .collect();
    with_contents(&format!("{{{}}}", contents.join(",")))
}

proptest! {
    #[test]
    fn what_was_written_is_read(entries in proptest::collection::vec(entry_strategy(), 0..6)) {
        let (header, read) = parse(written(&entries)).unwrap();
        prop_assert_eq!(header.entries, entries.len() as u64);
        prop_assert_eq!(header.size, entries.iter().map(|entry| entry.size).sum::<i64>());
        prop_assert_eq!(read, entries);
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(parse(bytes).is_err());
    }

    #[test]
    fn no_altered_manifest_panics(
        entries in proptest::collection::vec(entry_strategy(), 1..4),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..6),
    ) {
        let mut bytes = written(&entries).into_bytes();
        for (at, byte, kind) in changes {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, b"{}[]\",:\\0"[usize::from(byte) % 9]),
                _ => { bytes.remove(at); }
            }
        }
        if let Ok((header, read)) = parse(bytes) {
            prop_assert_eq!(header.entries, read.len() as u64);
            for entry in &read {
                prop_assert!(entry.size >= 0);
                prop_assert_eq!(EntryPath::parse(entry.path.as_str()), Ok(entry.path.clone()));
            }
        }
    }

    #[test]
    fn every_beginning_of_a_manifest_is_refused(
        entries in proptest::collection::vec(entry_strategy(), 0..3),
        cut in any::<prop::sample::Index>(),
    ) {
        let text = written(&entries);
        let cut = cut.index(text.len());
        prop_assert!(parse(&text.as_bytes()[..cut]).is_err());
    }
}
