-- History says exactly which version it was, and no event stands where no reader of the chain looks. What takes time is in the next.

alter table aliases add column index integer check (index >= 0);
comment on column aliases.index is 'The version''s number in vN of the collection, kept when it leaves; null where that was not kept and no event tells it.';

alter table client_ids add column shared boolean not null default false;
comment on column client_ids.shared is 'Whether several versions are called so, by forked processes, so that it doesn''t say which is meant.';

alter table audit_events add constraint audit_events_organization check (organization_id > 0) not valid;
