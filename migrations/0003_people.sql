-- People: what they are called, their passwords, their sessions in a browser; service accounts; keys that expire.

alter table users
    add column display_name text,
    add column email_key text collate "C" unique,
    add column service_team_id bigint references teams (id),
    add column password_hash text,
    add column password_set_at timestamptz;
create index users_service_team on users (service_team_id);
create index users_default_entity on users (default_entity_id);
comment on column users.email is 'Optional address; only site administrators set it, because nothing here proves it.';
comment on column users.display_name is 'What people call the user; null: the name.';
comment on column users.email_key is 'The address without case, by which an account is found. Null where two accounts had one address before this was kept.';
comment on column users.service_team_id is 'The team whose service account this is; null for a person.';
comment on column users.password_hash is 'argon2id in PHC form; null for who has no password, such as every service account.';
comment on column users.password_set_at is 'When the password was last set.';

update users set email_key = lower(email)
where email is not null
    and not exists (select 1 from users other where other.id <> users.id and lower(other.email) = lower(users.email));

alter table api_keys add column expires_at timestamptz;
comment on column api_keys.expires_at is 'From when on the key opens nothing; null: never.';

create table sessions (
    id bigint generated always as identity primary key,
    user_id bigint not null references users (id) on delete cascade,
    hash bytea not null unique check (octet_length(hash) = 32),
    started_at timestamptz not null,
    last_used_at timestamptz not null,
    expires_at timestamptz not null
);
create index sessions_user on sessions (user_id);
create index sessions_expiry on sessions (expires_at);
comment on table sessions is 'Browsers that are signed in. A session that ended has no row.';
comment on column sessions.id is 'Names the session in audit events.';
comment on column sessions.user_id is 'Who is signed in.';
comment on column sessions.hash is 'SHA-256 of the cookie''s value, which is nowhere kept.';
comment on column sessions.started_at is 'When it began.';
comment on column sessions.last_used_at is 'Last use, noted at most every five minutes.';
comment on column sessions.expires_at is 'When it ends however much it is used.';

create table sign_in_attempts (
    id bigint generated always as identity primary key,
    account bytea not null check (octet_length(account) = 32),
    address text not null,
    at timestamptz not null
);
create index sign_in_attempts_account on sign_in_attempts (account, at);
create index sign_in_attempts_address on sign_in_attempts (address, at);
create index sign_in_attempts_at on sign_in_attempts (at);
comment on table sign_in_attempts is 'Tries of passwords that didn''t succeed, or haven''t yet; they limit further ones on every server.';
comment on column sign_in_attempts.id is 'Names the try.';
comment on column sign_in_attempts.account is 'SHA-256 of the account or of what was typed for one: never the text, which may be a password.';
comment on column sign_in_attempts.address is 'Where the try came from.';
comment on column sign_in_attempts.at is 'When.';
