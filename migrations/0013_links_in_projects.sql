-- Versions are linked into collections of projects too: what the words of the first migration say of collections is wider now.

comment on column collections.project_id is 'The project or registry that it is in; source collections are in projects alone.';
comment on column collections.kind is 'source: versions are born here. registry: versions are linked here, in a registry or in a project.';
