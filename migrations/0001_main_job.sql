-- Everything that publishing a version and pulling it needs: accounts, projects and registries, collections, versions,
-- manifests, blobs, aliases with their history, runs, and the audit events that are written with each change.

create extension if not exists btree_gist;

-- Accounts --------------------------------------------------------------------------------------------------------

create table entities (
    id bigint generated always as identity primary key,
    kind text not null check (kind in ('user', 'team', 'organization')),
    name text collate "C" not null unique,
    name_key text collate "C" not null unique,
    created_at timestamptz not null default now()
);
comment on table entities is 'The one namespace of users, teams and organizations (rule 19).';
comment on column entities.id is 'Shared by the row in users, teams or organizations.';
comment on column entities.kind is 'Which of the three tables has the rest.';
comment on column entities.name is 'Unique name, as it was given.';
comment on column entities.name_key is 'The name without case and Unicode normalization: twins are refused.';
comment on column entities.created_at is 'When the name was taken.';

create table users (
    id bigint primary key references entities (id) on delete cascade,
    email text,
    site_admin boolean not null default false,
    service_account boolean not null default false,
    default_entity_id bigint references entities (id) on delete set null
);
comment on table users is 'People and service accounts.';
comment on column users.id is 'The entity id.';
comment on column users.email is 'Optional address, only shown.';
comment on column users.site_admin is 'Manages accounts and organizations; sees no content by it (rule 23).';
comment on column users.service_account is 'A user without a password, for machines.';
comment on column users.default_entity_id is 'Where runs go that name no entity; null means the user''s own entity.';

create table organizations (
    id bigint primary key references entities (id) on delete cascade,
    display_name text collate "C" not null,
    registry_creation text not null default 'members' check (registry_creation in ('members', 'admins'))
);
create index organizations_display_name on organizations (display_name);
comment on table organizations is 'Owners of teams and registries.';
comment on column organizations.id is 'The entity id.';
comment on column organizations.display_name is 'What people call it; may be ambiguous, the entity name is not (rule 19).';
comment on column organizations.registry_creation is 'Who may create registries: members (and admins), or admins only (rule 3).';

create table teams (
    id bigint primary key references entities (id) on delete cascade,
    organization_id bigint not null references organizations (id)
);
create index teams_organization on teams (organization_id);
comment on table teams is 'Groups of users inside one organization; they own projects.';
comment on column teams.id is 'The entity id.';
comment on column teams.organization_id is 'The owner.';

create table organization_members (
    organization_id bigint not null references organizations (id) on delete cascade,
    user_id bigint not null references users (id) on delete cascade,
    role text not null check (role in ('viewer', 'member', 'admin')),
    joined_at timestamptz not null default clock_timestamp(),
    primary key (organization_id, user_id)
);
create index organization_members_user on organization_members (user_id);
comment on table organization_members is 'Who belongs to an organization.';
comment on column organization_members.organization_id is 'The organization.';
comment on column organization_members.user_id is 'The member.';
comment on column organization_members.role is 'viewer is a seat that reads; member works; admin manages.';
comment on column organization_members.joined_at is 'When the membership began.';

create table team_members (
    team_id bigint not null references teams (id) on delete cascade,
    user_id bigint not null references users (id) on delete cascade,
    role text not null check (role in ('member', 'admin')),
    joined_at timestamptz not null default clock_timestamp(),
    primary key (team_id, user_id)
);
create index team_members_user on team_members (user_id);
comment on table team_members is 'Who belongs to a team.';
comment on column team_members.team_id is 'The team.';
comment on column team_members.user_id is 'The member, who belongs to the team''s organization too.';
comment on column team_members.role is 'admin also manages members.';
comment on column team_members.joined_at is 'When the membership began.';

create table api_keys (
    id bigint generated always as identity primary key,
    user_id bigint not null references users (id) on delete cascade,
    name text not null,
    hash bytea not null unique check (octet_length(hash) = 32),
    created_at timestamptz not null default now(),
    last_used_at timestamptz,
    revoked_at timestamptz
);
create index api_keys_user on api_keys (user_id);
comment on table api_keys is 'Keys that stand for a user. The key itself is shown once and not kept.';
comment on column api_keys.id is 'Names the key where it is listed or revoked.';
comment on column api_keys.user_id is 'Whom the key stands for.';
comment on column api_keys.name is 'What its owner calls it.';
comment on column api_keys.hash is 'SHA-256 of the whole key text, prefix included.';
comment on column api_keys.created_at is 'When it was made or imported.';
comment on column api_keys.last_used_at is 'Last use, noted at most every five minutes.';
comment on column api_keys.revoked_at is 'Set once; a revoked key opens nothing.';

-- Projects and registries -----------------------------------------------------------------------------------------

create table projects (
    id bigint generated always as identity primary key,
    kind text not null check (kind in ('project', 'registry')),
    entity_id bigint not null references entities (id),
    name text collate "C" not null,
    name_key text collate "C" not null,
    description text,
    visibility text check (visibility in ('organization', 'restricted')),
    allow_all_types boolean not null default true,
    next_run_number integer not null default 1,
    created_by bigint references users (id) on delete set null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (entity_id, kind, name),
    check ((kind = 'registry') = (visibility is not null))
);
create unique index projects_registry_name_key on projects (entity_id, name_key) where kind = 'registry';
comment on table projects is 'A team''s or user''s workspace, or an organization''s registry.';
comment on column projects.id is 'One number space for both kinds.';
comment on column projects.kind is 'project or registry.';
comment on column projects.entity_id is 'The owner: a team or user for a project, an organization for a registry.';
comment on column projects.name is 'The name; a registry''s is kept without the prefix wandb-registry-.';
comment on column projects.name_key is 'The name without case and Unicode normalization (rule 1).';
comment on column projects.description is 'Null and empty differ (rule 7).';
comment on column projects.visibility is 'Registries only: organization or restricted (rule 8).';
comment on column projects.allow_all_types is 'Registries: any artifact type may be linked. Always true for projects.';
comment on column projects.next_run_number is 'Number for the next run that names itself.';
comment on column projects.created_by is 'Who made it.';
comment on column projects.created_at is 'When it was made.';
comment on column projects.updated_at is 'When its own fields last changed.';

create table registry_user_members (
    registry_id bigint not null references projects (id) on delete cascade,
    user_id bigint not null references users (id) on delete cascade,
    role text not null check (role in ('restricted_viewer', 'viewer', 'member', 'admin')),
    added_at timestamptz not null default clock_timestamp(),
    primary key (registry_id, user_id)
);
create index registry_user_members_user on registry_user_members (user_id);
comment on table registry_user_members is 'Direct members of a registry.';
comment on column registry_user_members.registry_id is 'The registry.';
comment on column registry_user_members.user_id is 'The member.';
comment on column registry_user_members.role is 'The direct role (rule 14 says what is effective).';
comment on column registry_user_members.added_at is 'When the user was added.';

create table registry_team_members (
    registry_id bigint not null references projects (id) on delete cascade,
    team_id bigint not null references teams (id) on delete cascade,
    role text not null check (role in ('restricted_viewer', 'viewer', 'member', 'admin')),
    added_at timestamptz not null default clock_timestamp(),
    primary key (registry_id, team_id)
);
create index registry_team_members_team on registry_team_members (team_id);
comment on table registry_team_members is 'Teams whose users are members of a registry.';
comment on column registry_team_members.registry_id is 'The registry.';
comment on column registry_team_members.team_id is 'The team.';
comment on column registry_team_members.role is 'The role that each user of the team has by it.';
comment on column registry_team_members.added_at is 'When the team was added.';

create table artifact_types (
    id bigint generated always as identity primary key,
    project_id bigint not null references projects (id) on delete cascade,
    name text collate "C" not null,
    listed boolean not null default false,
    created_at timestamptz not null default now(),
    unique (project_id, name),
    unique (id, project_id)
);
comment on table artifact_types is 'Artifact types of a project or registry: those on its list, and those in use.';
comment on column artifact_types.id is 'Names the type inside its project.';
comment on column artifact_types.project_id is 'The project or registry.';
comment on column artifact_types.name is 'Case-sensitive name (rule 6).';
comment on column artifact_types.listed is 'On the registry''s list; never taken off it (rule 5).';
comment on column artifact_types.created_at is 'When it was first listed or used.';

-- What a user may do in a project or registry, as a level: 0 nothing, 1 restricted_viewer, 2 viewer, 3 member, 4 admin.
-- The one place that knows rules 14 and 23. A site administrator gets nothing by being one.
create function role_level(role text) returns smallint language sql immutable as $$
    select (case role when 'admin' then 4 when 'member' then 3 when 'viewer' then 2 when 'restricted_viewer' then 1 else 0 end)::smallint
$$;

create function access_level(project bigint, caller bigint) returns smallint language sql stable as $$
    select coalesce(max(level), 0)::smallint
    from (
        -- Rule 14: registries.
        select case m.role when 'admin' then 4 else case p.visibility when 'organization' then 2 else 0 end end as level
        from projects p join organization_members m on m.organization_id = p.entity_id
        where p.id = project and p.kind = 'registry' and m.user_id = caller
        union all
        select role_level(m.role) from registry_user_members m where m.registry_id = project and m.user_id = caller
        union all
        select role_level(m.role)
        from registry_team_members m join team_members t on t.team_id = m.team_id
        where m.registry_id = project and t.user_id = caller
        union all
        -- Rule 23: projects.
        select case when o.role = 'admin' then 4 when t.role is null then 0 when o.role = 'viewer' then 2
                    when t.role = 'admin' then 4 else 3 end
        from projects p
        join teams e on e.id = p.entity_id
        join organization_members o on o.organization_id = e.organization_id and o.user_id = caller
        left join team_members t on t.team_id = e.id and t.user_id = caller
        where p.id = project and p.kind = 'project'
        union all
        select 4 from projects p where p.id = project and p.kind = 'project' and p.entity_id = caller
    ) sources
$$;

-- Collections, versions, links, aliases ---------------------------------------------------------------------------

create table collections (
    id bigint generated always as identity primary key,
    project_id bigint not null references projects (id) on delete cascade,
    kind text not null check (kind in ('source', 'registry')),
    name text collate "C" not null,
    type_id bigint not null,
    description text,
    next_index integer not null default 0,
    alias_clock timestamptz not null default '-infinity',
    created_by bigint references users (id) on delete set null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (project_id, name),
    foreign key (type_id, project_id) references artifact_types (id, project_id)
);
create index collections_type on collections (type_id);
comment on table collections is 'Named lines of versions of one type (rule 25).';
comment on column collections.id is 'Shared by both kinds.';
comment on column collections.project_id is 'The project of a source collection, the registry of a registry collection.';
comment on column collections.kind is 'source: versions are born here. registry: versions are linked here.';
comment on column collections.name is 'Unique in its project over both kinds.';
comment on column collections.type_id is 'The artifact type, of the same project.';
comment on column collections.description is 'The collection''s card.';
comment on column collections.next_index is 'Index for the next version or link; never goes back (rules 26 and 28).';
comment on column collections.alias_clock is 'Time of the last alias change; the next one is later.';
comment on column collections.created_by is 'Who made it.';
comment on column collections.created_at is 'When it was made.';
comment on column collections.updated_at is 'When its own fields or its list of versions last changed.';

create table runs (
    id bigint generated always as identity primary key,
    project_id bigint not null references projects (id) on delete cascade,
    name text collate "C" not null,
    display_name text not null,
    state text not null default 'running' check (state in ('running', 'finished', 'failed')),
    description text,
    notes text,
    group_name text,
    job_type text,
    host text,
    git_commit text,
    program text,
    repo text,
    config text not null default '{}',
    summary text not null default '{}',
    tags text[] not null default '{}',
    exit_code integer,
    created_by bigint references users (id) on delete set null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    heartbeat_at timestamptz not null default now(),
    unique (project_id, name)
);
comment on table runs is 'Executions that make and use versions (rule 47).';
comment on column runs.id is 'Internal number.';
comment on column runs.project_id is 'Where it runs.';
comment on column runs.name is 'The id that the client chose.';
comment on column runs.display_name is 'What people see.';
comment on column runs.state is 'running, finished (exit code 0) or failed.';
comment on column runs.description is 'Free text.';
comment on column runs.notes is 'Free text.';
comment on column runs.group_name is 'Groups runs of one job.';
comment on column runs.job_type is 'What kind of job it is.';
comment on column runs.host is 'The machine, as the client names it.';
comment on column runs.git_commit is 'The commit of the code, as the client names it.';
comment on column runs.program is 'The program, as the client names it.';
comment on column runs.repo is 'The repository, as the client names it.';
comment on column runs.config is 'Configuration: JSON as the client wrote it, which may hold Python''s NaN and Infinity.';
comment on column runs.summary is 'Summary values: JSON as the client wrote it, which may hold Python''s NaN and Infinity.';
comment on column runs.tags is 'The run''s tags.';
comment on column runs.exit_code is 'Exit code, once it has ended.';
comment on column runs.created_by is 'Who started it.';
comment on column runs.created_at is 'When it started.';
comment on column runs.updated_at is 'When a field last changed.';
comment on column runs.heartbeat_at is 'When it was last heard of.';

create table blobs (
    id bigint generated always as identity primary key,
    scope_id bigint not null references entities (id),
    sha256 bytea not null check (octet_length(sha256) = 32),
    md5 bytea not null check (octet_length(md5) = 16),
    size bigint not null check (size >= 0),
    created_at timestamptz not null default now(),
    unique (scope_id, sha256)
);
create index blobs_md5 on blobs (md5, scope_id);
comment on table blobs is 'Stored bytes. The row appears only after the bytes are durable; the object''s key is <scope>/<sha256>.<id>.';
comment on column blobs.id is 'Part of the object''s key, never used again.';
comment on column blobs.scope_id is 'The organization, or the user for personal projects, whose bytes these are.';
comment on column blobs.sha256 is 'What identifies the bytes; computed by the server.';
comment on column blobs.md5 is 'The W&B protocol''s name for the bytes; computed by the server.';
comment on column blobs.size is 'Length in bytes.';
comment on column blobs.created_at is 'When it was stored.';

create table manifests (
    id bigint generated always as identity primary key,
    scope_id bigint not null references entities (id),
    content_hash bytea not null check (octet_length(content_hash) = 32),
    file_blob_id bigint not null references blobs (id),
    entry_count bigint not null check (entry_count >= 0),
    total_size bigint not null check (total_size >= 0),
    created_at timestamptz not null default now(),
    unique (scope_id, content_hash)
);
comment on table manifests is 'Distinct lists of entries; versions with the same content share one.';
comment on column manifests.id is 'Names the manifest.';
comment on column manifests.scope_id is 'The scope of its blobs.';
comment on column manifests.content_hash is 'SHA-256 over every entry with the SHA-256 of its bytes, in path order.';
comment on column manifests.file_blob_id is 'The manifest as JSON, as it is served to the W&B SDK.';
comment on column manifests.entry_count is 'Number of entries, references included.';
comment on column manifests.total_size is 'Sum of the entries'' sizes in bytes, references included.';
comment on column manifests.created_at is 'When it was first committed.';

create table manifest_entries (
    manifest_id bigint not null references manifests (id) on delete cascade,
    ordinal integer not null,
    path text collate "C" not null,
    digest text not null,
    size bigint not null check (size >= 0),
    blob_id bigint references blobs (id),
    reference text,
    extra json,
    primary key (manifest_id, ordinal),
    check ((blob_id is null) = (reference is not null))
);
create unique index manifest_entries_path on manifest_entries (manifest_id, md5(path));
create index manifest_entries_blob on manifest_entries (blob_id);
comment on table manifest_entries is 'The files of a version.';
comment on column manifest_entries.manifest_id is 'The manifest.';
comment on column manifest_entries.ordinal is 'Place in path order, from 1: a path may be too long for an index.';
comment on column manifest_entries.path is 'Relative path (rule 37).';
comment on column manifest_entries.digest is 'Base64 MD5 of a file; of a reference what its client called it.';
comment on column manifest_entries.size is 'Length in bytes; of a reference as claimed.';
comment on column manifest_entries.blob_id is 'The bytes of a file.';
comment on column manifest_entries.reference is 'The URI of a reference: inert text (rule 38).';
comment on column manifest_entries.extra is 'What the client keeps beside the entry.';

create table versions (
    id bigint generated always as identity primary key,
    collection_id bigint not null references collections (id) on delete cascade,
    state text not null check (state in ('pending', 'committed', 'deleted')),
    digest text not null,
    manifest_id bigint references manifests (id),
    description text,
    metadata json not null default '{}',
    metadata_index jsonb not null default '{}',
    ttl_seconds bigint not null default -1 check (ttl_seconds in (-1, -2)),
    history_step bigint,
    requested_aliases text[] not null default '{}',
    run_id bigint references runs (id) on delete set null,
    created_by bigint references users (id) on delete set null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    committed_at timestamptz,
    check ((state = 'pending') = (committed_at is null)),
    check (state <> 'committed' or manifest_id is not null)
);
create index versions_collection on versions (collection_id, id);
create index versions_manifest on versions (manifest_id);
comment on table versions is 'Immutable content with editable description and metadata, born in one source collection.';
comment on column versions.id is 'Names the version everywhere.';
comment on column versions.collection_id is 'The source collection.';
comment on column versions.state is 'pending until committed; deleted rows stay for the history.';
comment on column versions.digest is 'MD5 of the manifest in hexadecimal; recomputed at commit (rule 27).';
comment on column versions.manifest_id is 'Its entries, once committed.';
comment on column versions.description is 'Free text.';
comment on column versions.metadata is 'JSON object, kept as given (rule 36).';
comment on column versions.metadata_index is 'The same for filters.';
comment on column versions.ttl_seconds is 'Expiry: -1 inherits, -2 is off.';
comment on column versions.history_step is 'The run''s step that made it.';
comment on column versions.requested_aliases is 'Aliases to set at commit.';
comment on column versions.run_id is 'The run that made it.';
comment on column versions.created_by is 'Who made it.';
comment on column versions.created_at is 'When it was begun.';
comment on column versions.updated_at is 'When a field last changed.';
comment on column versions.committed_at is 'When it became visible.';

create table client_ids (
    user_id bigint not null references users (id) on delete cascade,
    client_id text not null,
    version_id bigint not null references versions (id) on delete cascade,
    primary key (user_id, client_id)
);
create index client_ids_version on client_ids (version_id);
comment on table client_ids is 'What clients call versions before they know their numbers; several names may mean one version.';
comment on column client_ids.user_id is 'Whose client: a name means something to its own user only.';
comment on column client_ids.client_id is 'The random name.';
comment on column client_ids.version_id is 'The version.';

create table memberships (
    id bigint generated always as identity primary key,
    collection_id bigint not null references collections (id) on delete cascade,
    version_id bigint not null references versions (id) on delete cascade,
    index integer not null check (index >= 0),
    created_by bigint references users (id) on delete set null,
    created_at timestamptz not null default now(),
    unique (collection_id, version_id),
    unique (collection_id, index)
);
create index memberships_version on memberships (version_id);
comment on table memberships is 'A committed version''s place in its source collection, and each link''s place in a registry collection.';
comment on column memberships.id is 'Names the place.';
comment on column memberships.collection_id is 'Where it stands.';
comment on column memberships.version_id is 'What stands there.';
comment on column memberships.index is 'The number in vN of this collection.';
comment on column memberships.created_by is 'Who committed or linked it.';
comment on column memberships.created_at is 'When.';

create table aliases (
    id bigint generated always as identity primary key,
    collection_id bigint not null references collections (id) on delete cascade,
    version_id bigint not null references versions (id) on delete cascade,
    alias text collate "C" not null,
    valid tstzrange not null,
    set_by bigint references users (id) on delete set null,
    exclude using gist (collection_id with =, alias with =, valid with &&)
);
create unique index aliases_current on aliases (collection_id, alias) where upper_inf(valid);
create index aliases_current_version on aliases (version_id) where upper_inf(valid);
comment on table aliases is 'Which version each alias pointed at, and when. The alias of today is the row whose range is open.';
comment on column aliases.id is 'Names the period.';
comment on column aliases.collection_id is 'The collection that the alias belongs to.';
comment on column aliases.version_id is 'What it points at.';
comment on column aliases.alias is 'The name; latest is kept here too.';
comment on column aliases.valid is 'From when until when, on the database''s clock under the collection''s lock.';
comment on column aliases.set_by is 'Who set it.';

-- Uploads and runs' files -----------------------------------------------------------------------------------------

create table manifest_drafts (
    id bigint generated always as identity primary key,
    version_id bigint not null unique references versions (id) on delete cascade,
    upload_id uuid,
    created_at timestamptz not null default now()
);
comment on table manifest_drafts is 'The manifest of a version that is not yet committed.';
comment on column manifest_drafts.id is 'Names the draft for the W&B protocol.';
comment on column manifest_drafts.version_id is 'The pending version.';
comment on column manifest_drafts.upload_id is 'The upload that brings the manifest, once its digest was announced.';
comment on column manifest_drafts.created_at is 'When it was announced.';

create table uploads (
    id uuid primary key,
    purpose text not null check (purpose in ('file', 'manifest', 'run_file')),
    version_id bigint references versions (id) on delete cascade,
    run_id bigint references runs (id) on delete cascade,
    scope_id bigint not null references entities (id),
    actor_id bigint not null references users (id) on delete cascade,
    name text collate "C" not null,
    md5 bytea check (octet_length(md5) = 16),
    blob_id bigint references blobs (id),
    created_at timestamptz not null default now(),
    check ((purpose = 'run_file') = (run_id is not null)),
    check ((purpose = 'run_file') = (version_id is null))
);
create index uploads_version on uploads (version_id, md5, md5(name));
create index uploads_run on uploads (run_id);
create index uploads_blob on uploads (blob_id);
comment on table uploads is 'Files that a client announced; each has one upload URL.';
comment on column uploads.id is 'Unguessable; part of the URL.';
comment on column uploads.purpose is 'file or manifest of a version, or a file of a run.';
comment on column uploads.version_id is 'The pending version.';
comment on column uploads.run_id is 'The run.';
comment on column uploads.scope_id is 'The scope of the blob that it will be.';
comment on column uploads.actor_id is 'Who announced it.';
comment on column uploads.name is 'Path in the manifest, or name of the run''s file.';
comment on column uploads.md5 is 'The announced MD5; null where none was announced.';
comment on column uploads.blob_id is 'The bytes, once they have arrived and were checked.';
comment on column uploads.created_at is 'When it was announced.';

create table run_files (
    run_id bigint not null references runs (id) on delete cascade,
    name text collate "C" not null,
    blob_id bigint not null references blobs (id),
    updated_at timestamptz not null default now()
);
create unique index run_files_name on run_files (run_id, md5(name));
create index run_files_blob on run_files (blob_id);
comment on table run_files is 'Files of a run.';
comment on column run_files.run_id is 'The run.';
comment on column run_files.name is 'Path below the run.';
comment on column run_files.blob_id is 'The newest bytes.';
comment on column run_files.updated_at is 'When they came.';

create table run_inputs (
    run_id bigint not null references runs (id) on delete cascade,
    version_id bigint not null references versions (id) on delete cascade,
    used_at timestamptz not null default now(),
    primary key (run_id, version_id)
);
create index run_inputs_version on run_inputs (version_id);
comment on table run_inputs is 'Versions that a run used.';
comment on column run_inputs.run_id is 'The run.';
comment on column run_inputs.version_id is 'What it used.';
comment on column run_inputs.used_at is 'When it first did.';

create table run_outputs (
    run_id bigint not null references runs (id) on delete cascade,
    version_id bigint not null references versions (id) on delete cascade,
    made_at timestamptz not null default now(),
    primary key (run_id, version_id)
);
create index run_outputs_version on run_outputs (version_id);
comment on table run_outputs is 'Versions that a run logged, also those that were there already.';
comment on column run_outputs.run_id is 'The run.';
comment on column run_outputs.version_id is 'What it logged.';
comment on column run_outputs.made_at is 'When it first did.';

-- Entries on their way from the manifest file into manifest_entries. Unlogged: a crash may empty it, since nothing
-- that was acknowledged is only here.
create unlogged table manifest_staging (
    staging_id uuid not null,
    path text collate "C" not null,
    digest text not null,
    size bigint not null,
    md5 bytea,
    reference text,
    extra text,
    blob_id bigint,
    staged_at timestamptz not null default now()
);
create index manifest_staging_id on manifest_staging (staging_id);
comment on table manifest_staging is 'Entries of manifests that are being committed.';
comment on column manifest_staging.staging_id is 'One commit''s rows.';
comment on column manifest_staging.path is 'As in manifest_entries; not yet known to be unique.';
comment on column manifest_staging.digest is 'As in manifest_entries.';
comment on column manifest_staging.size is 'As in manifest_entries.';
comment on column manifest_staging.md5 is 'The digest of a file as bytes; null for a reference.';
comment on column manifest_staging.reference is 'As in manifest_entries.';
comment on column manifest_staging.extra is 'As in manifest_entries.';
comment on column manifest_staging.blob_id is 'The blob that was found for a file.';
comment on column manifest_staging.staged_at is 'When the row came; old rows are leftovers of a crash.';

-- The installation ------------------------------------------------------------------------------------------------

create table signing_keys (
    id bigint generated always as identity primary key,
    secret bytea not null check (octet_length(secret) = 32),
    created_at timestamptz not null default now()
);
comment on table signing_keys is 'Keys that sign upload and download URLs; the newest signs, all verify.';
comment on column signing_keys.id is 'Names the key in a URL.';
comment on column signing_keys.secret is 'Random bytes.';
comment on column signing_keys.created_at is 'When it was made.';

create table audit_events (
    id bigint generated always as identity primary key,
    at timestamptz not null default clock_timestamp(),
    organization_id bigint,
    actor_id bigint,
    request_id uuid not null,
    kind text not null,
    subject text not null,
    before jsonb,
    after jsonb
);
create index audit_events_organization on audit_events (organization_id, id);
comment on table audit_events is 'What people did: written in the transaction that did it. No foreign keys: events outlive their subjects.';
comment on column audit_events.id is 'Order of writing.';
comment on column audit_events.at is 'When, on the database''s clock.';
comment on column audit_events.organization_id is 'Whose history it belongs to; null for accounts and personal projects.';
comment on column audit_events.actor_id is 'Who did it; null for the first start.';
comment on column audit_events.request_id is 'The request that did it, as in the log.';
comment on column audit_events.kind is 'One of the closed list in the store''s audit module.';
comment on column audit_events.subject is 'What it was done to, as Kind:<id>.';
comment on column audit_events.before is 'The changed fields before; null where there was nothing.';
comment on column audit_events.after is 'The changed fields after; null where nothing is left.';
