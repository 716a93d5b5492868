-- Indexes for lists that go over many projects at once, and for filters by alias. Each is one more entry at a write, which takes
-- microseconds; without them a list reads and sorts everything that there is.

-- Collections of all projects of an entity, by name or time. The first column of the others is the project.
create index collections_name on collections (name, id);
create index collections_made on collections (created_at, id);
create index collections_changed on collections (updated_at, id);

-- Versions of all projects of an entity, by time.
create index versions_created on versions (created_at);
create index versions_updated on versions (updated_at);

-- The places that an alias points at, in any collection; the other index of this begins with the collection.
create index aliases_current_alias on aliases (alias, collection_id) where upper_inf(valid);

comment on column audit_events.actor_id is 'Who did it; null for the first start and for demo data.';
