-- One row for each change of an entity, built from its stored event alone.
create table platform_entry (
    id blob primary key,
    tenant text not null,
    key text not null,
    correlation_id text not null,
    causation_id text,
    occurred_at integer not null,
    recorded_at integer not null,
    event_id text not null,
    event_type text not null,
    entity_kind text not null,
    entity_id text not null,
    incarnation integer not null,
    version integer not null,
    previous_version integer,
    actor text,
    on_behalf_of text,
    reason text,
    -- A JSON list of {path, old, new}; text, so that every number stays as it was written.
    changes text not null,
    -- Also what a timeline is read by.
    unique (tenant, entity_kind, entity_id, incarnation, version)
) without rowid;
