-- Versions that expire, and the end of bytes that nothing names.

alter table versions drop constraint versions_ttl_seconds_check;
alter table versions add constraint versions_ttl_seconds_check
    check (ttl_seconds in (-1, -2) or ttl_seconds between 1 and 3155760000);
-- Computed, so that nobody who writes one of the two forgets the other. By way of UTC, because a day has as many hours there
-- whatever the session's time zone is, and only so may it be stored.
alter table versions add column expires_at timestamptz generated always as (
    case when ttl_seconds > 0 then (created_at at time zone 'UTC' + make_interval(secs => ttl_seconds)) at time zone 'UTC' end
) stored;
create index versions_expiring on versions (expires_at) where state = 'committed' and expires_at is not null;
create index versions_pending on versions (created_at) where state = 'pending';
comment on column versions.ttl_seconds is 'Expiry: seconds from creation, at most 100 years; -1 inherits, -2 is off (rule 35).';
comment on column versions.expires_at is 'From when on the next run of the expiry ends it; null: never.';

-- Whether a version is linked into a registry: then it doesn't expire (rule 35).
create function in_registry(version bigint) returns boolean language sql stable as $$
    select exists (
        select 1 from memberships m join collections c on c.id = m.collection_id join projects p on p.id = c.project_id
        where m.version_id = version and p.kind = 'registry')
$$;

create index uploads_created on uploads (created_at);

alter table client_ids add column named_at timestamptz not null default now();
create index client_ids_named on client_ids (named_at);
comment on column client_ids.named_at is 'Since when. A name is forgotten after a month.';

alter table blobs add column unnamed_since timestamptz;
create index blobs_unnamed on blobs (unnamed_since) where unnamed_since is not null;
comment on column blobs.unnamed_since is
    'When it was found that nothing names these bytes; null: something does, or nobody has looked. Whoever is about to name it sets null.';

create table loose_objects (
    blob_id bigint primary key,
    scope_id bigint not null,
    sha256 bytea not null check (octet_length(sha256) = 32),
    since timestamptz not null default now(),
    going boolean not null
);
create index loose_objects_since on loose_objects (since);
comment on table loose_objects is
    'Objects in the storage without a row in blobs: not yet, or no more. So none is lost sight of, whenever a server dies.';
comment on column loose_objects.blob_id is 'The number in the object''s key.';
comment on column loose_objects.scope_id is 'The scope in the object''s key. No foreign key: it may be gone before the object is.';
comment on column loose_objects.sha256 is 'The hash in the object''s key.';
comment on column loose_objects.since is 'When the number was given, or when the row of the blob was deleted.';
comment on column loose_objects.going is 'True: it is being deleted. False: its row is awaited, and after a day no more.';

comment on column audit_events.actor_id is 'Who did it; null for the first start, for demo data and for what expired.';
