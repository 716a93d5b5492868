-- What lists of collections and versions are filtered and ordered by.

create table collection_tags (
    id bigint generated always as identity unique,
    collection_id bigint not null references collections (id) on delete cascade,
    tag text collate "C" not null,
    created_by bigint references users (id) on delete set null,
    created_at timestamptz not null default now(),
    primary key (collection_id, tag)
);
create index collection_tags_tag on collection_tags (tag, collection_id);
comment on table collection_tags is 'Tags of collections (rule 34).';
comment on column collection_tags.id is 'Names it on the wire.';
comment on column collection_tags.collection_id is 'The collection.';
comment on column collection_tags.tag is 'The tag.';
comment on column collection_tags.created_by is 'Who set it.';
comment on column collection_tags.created_at is 'Since when.';

create table version_tags (
    id bigint generated always as identity unique,
    version_id bigint not null references versions (id) on delete cascade,
    tag text collate "C" not null,
    created_by bigint references users (id) on delete set null,
    created_at timestamptz not null default now(),
    primary key (version_id, tag)
);
create index version_tags_tag on version_tags (tag, version_id);
comment on table version_tags is 'Tags of versions; they show wherever the version is linked (rule 34).';
comment on column version_tags.id is 'Names it on the wire.';
comment on column version_tags.version_id is 'The version.';
comment on column version_tags.tag is 'The tag.';
comment on column version_tags.created_by is 'Who set it.';
comment on column version_tags.created_at is 'Since when.';

-- Lists go by (key, id); the others have their indexes by being unique.
create index collections_created on collections (project_id, created_at, id);
create index collections_updated on collections (project_id, updated_at, id);
drop index collections_type;
create index collections_type on collections (type_id, name);
create index memberships_newest on memberships (collection_id, id);
