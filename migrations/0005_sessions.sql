-- Sessions as their user sees them: where each began.

alter table sessions
    add column address text,
    add column user_agent text;
comment on column sessions.address is 'Where the sign-in came from; null for a session from before this was kept.';
comment on column sessions.user_agent is 'What the browser called itself, cut to 512 characters; null if nothing.';
