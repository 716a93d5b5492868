-- History says exactly which version it was, and no event stands where no reader of the chain looks.

alter table aliases add column index integer check (index >= 0);
comment on column aliases.index is 'The version''s number in vN of the collection, kept when it leaves; null where that was not kept and no event tells it.';

-- Whoever left the collection after it began told its number; whoever is there still has it.
update aliases a set index = coalesce(
    (select (e.before ->> 'index')::integer from audit_events e
     where e.kind in ('version.unlinked', 'version.deleted') and e.subject = 'Version:' || a.version_id
        and e.collection_id = a.collection_id and e.at >= lower(a.valid)
     order by e.id limit 1),
    (select m.index from memberships m where m.collection_id = a.collection_id and m.version_id = a.version_id));

alter table audit_events add constraint audit_events_organization check (organization_id > 0);
