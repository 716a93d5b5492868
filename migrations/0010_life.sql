-- Versions and collections come to an end. A deleted version stays for the histories of aliases that name it, also when its
-- source collection is gone.

alter table versions alter column collection_id drop not null;
alter table versions drop constraint versions_collection_id_fkey;
alter table versions add constraint versions_collection_id_fkey
    foreign key (collection_id) references collections (id) on delete set null;
alter table versions add constraint versions_collection_or_deleted check (state = 'deleted' or collection_id is not null);
comment on column versions.collection_id is 'The source collection; null when it was deleted, and then the version is as well.';

-- What goes when a version, a run, a blob or an account goes is found without reading whole tables.
create index aliases_version on aliases (version_id);
create index versions_run on versions (run_id);
create index manifests_file on manifests (file_blob_id);
create index uploads_actor on uploads (actor_id);
create index versions_without_collection on versions (id) where collection_id is null;
