create table customers (
    tenant text not null,
    id text not null,
    version bigint not null,
    name text not null,
    email text,
    city text,
    country text,
    primary key (tenant, id)
);

-- Money is text, so that it keeps the digits it came with.
create table orders (
    tenant text not null,
    id text not null,
    version bigint not null,
    customer text not null,
    email text,
    status text not null,
    ordered_at timestamptz,
    required_at timestamptz,
    shipped_at timestamptz,
    currency text not null,
    total text not null,
    primary key (tenant, id)
);

-- Where a customer lives and, per currency, what they ordered: JSON, read and written as a whole.
create table revenue_customer (
    tenant text not null,
    customer text not null,
    country text,
    spent text not null,
    primary key (tenant, customer)
);

create table revenue (
    tenant text not null,
    country text not null,
    currency text not null,
    orders bigint not null,
    total text not null,
    primary key (tenant, country, currency)
);

create table surveys (
    tenant text not null,
    order_id text not null,
    sent_at timestamptz not null,
    primary key (tenant, order_id)
);
