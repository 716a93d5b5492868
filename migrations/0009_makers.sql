-- Who made something is a number that outlives the account, as in the audit: no foreign key. With one, whoever made a thing was
-- locked for each thing that he made, and the end of his account went over everything that he ever made, with locks on it: in
-- the opposite order of those who were just adding him to his registry, or linking into his collections.

alter table projects drop constraint projects_created_by_fkey;
alter table collections drop constraint collections_created_by_fkey;
alter table runs drop constraint runs_created_by_fkey;
alter table versions drop constraint versions_created_by_fkey;
alter table memberships drop constraint memberships_created_by_fkey;
alter table aliases drop constraint aliases_set_by_fkey;
alter table collection_tags drop constraint collection_tags_created_by_fkey;
alter table version_tags drop constraint version_tags_created_by_fkey;

comment on column projects.created_by is 'The number of who made it, whose account may be gone.';
comment on column collections.created_by is 'The number of who made it, whose account may be gone.';
comment on column runs.created_by is 'The number of who made it, whose account may be gone.';
comment on column versions.created_by is 'The number of who made it, whose account may be gone.';
comment on column memberships.created_by is 'The number of who made it, whose account may be gone.';
comment on column aliases.set_by is 'The number of who set it, whose account may be gone.';
comment on column collection_tags.created_by is 'The number of who set it, whose account may be gone.';
comment on column version_tags.created_by is 'The number of who set it, whose account may be gone.';
