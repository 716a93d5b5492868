-- Fills what the migration before added, while others read.

-- Whoever left the collection after it began told its number; whoever is there still has it.
update aliases a set index = coalesce(
    (select (e.before ->> 'index')::integer from audit_events e
     where e.kind in ('version.unlinked', 'version.deleted') and e.subject = 'Version:' || a.version_id
        and e.collection_id = a.collection_id and e.at >= lower(a.valid)
     order by e.id limit 1),
    (select m.index from memberships m where m.collection_id = a.collection_id and m.version_id = a.version_id))
where index is null;

alter table audit_events validate constraint audit_events_organization;
