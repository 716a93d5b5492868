-- Versions made of parts: incremental ones, whose manifest comes on top of an earlier version, and distributed ones, which many
-- processes write together, each with a manifest of its own.

alter table versions add column distributed_id text collate "C";
comment on column versions.distributed_id is 'What the processes that make it together call it, until its commit; null for a version of one process.';
create unique index versions_distributed on versions (collection_id, distributed_id) where state = 'pending' and distributed_id is not null;

alter table client_ids add column digest text;
comment on column client_ids.digest is 'The digest that was claimed with the name; null where it is the version''s. A repeated request claims it again.';

-- The manifest of a whole version keeps its only row; a version made of patches has a row for each.
alter table manifest_drafts alter column version_id drop not null;
alter table manifest_drafts
    add column kind text not null default 'full' check (kind in ('full', 'incremental', 'patch')),
    add column patch_of bigint references versions (id) on delete cascade,
    add column base_id bigint,
    add column run_id bigint,
    add column files_announced boolean not null default false,
    add constraint manifest_drafts_one_version check (num_nonnulls(version_id, patch_of) = 1 and (kind = 'patch') = (patch_of is not null));
create index manifest_drafts_patches on manifest_drafts (patch_of);
comment on table manifest_drafts is 'Manifests of versions that are not yet committed.';
comment on column manifest_drafts.version_id is 'The pending version, if this is its only manifest.';
comment on column manifest_drafts.kind is 'full: all entries. incremental: on top of an earlier version. patch: one of several.';
comment on column manifest_drafts.patch_of is 'The pending version, if this is one of several manifests of it.';
comment on column manifest_drafts.base_id is 'The number of the version that it is based on: a claim, looked up again at the commit.';
comment on column manifest_drafts.run_id is 'The number of the run that made a patch, looked up again at the commit.';
comment on column manifest_drafts.files_announced is 'Whether files were announced for a patch: then the commit waits for its manifest.';

alter table manifest_staging
    add column part integer,
    add column ordinal integer,
    add column birth_artifact text,
    add column skip_cache boolean;
create index manifest_staging_ordinal on manifest_staging (staging_id, ordinal);
drop index manifest_staging_id;
comment on column manifest_staging.part is 'Which manifest a row of several comes from: that of the base is 0, later ones win. Null once they are merged.';
comment on column manifest_staging.ordinal is 'Place in path order, from 1, of merged rows.';
comment on column manifest_staging.birth_artifact is 'What the entry says of the upload that brought its bytes; kept for merging only.';
comment on column manifest_staging.skip_cache is 'Whether clients are asked not to cache the file; kept for merging only.';
