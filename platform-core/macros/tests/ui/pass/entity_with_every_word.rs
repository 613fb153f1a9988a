//! Every word of an entity, and what it leads to.
//! Roles, classes, names and nesting in one struct.

use platform_core::{Change, ChangePayload, Entity, Fields, TenantId};

#[derive(Clone, Entity)]
#[entity(kind = "order_line", schema = 3, crate = ::platform_core)]
struct Line {
    #[entity(id, personal(subject = "id"))]
    id: String,
    #[entity(tenant, public)]
    tenant: TenantId,
    #[entity(version, rename = "revision")]
    version: u64,
    #[entity(incarnation)]
    born: u64,
    #[entity(public)]
    token: String,
    #[entity(secret)]
    password: String,
    #[entity(ignored)]
    seen: std::collections::HashMap<u8, u8>,
    #[entity(nested)]
    credential: Option<Credential>,
    r#type: Vec<u8>,
}

#[derive(Clone, Fields)]
#[entity(crate = ::platform_core)]
struct Credential {
    #[entity(secret)]
    pin: u16,
    #[entity(rename = "of")]
    holder: String,
}

fn main() {
    let line = Line {
        id: "L-1".into(),
        tenant: TenantId::parse("acme").unwrap(),
        version: 4,
        born: 2,
        token: "visible".into(),
        password: "hush".into(),
        seen: Default::default(),
        credential: Some(Credential { pin: 1234, holder: "ada".into() }),
        r#type: vec![1],
    };
    assert_eq!((Line::KIND, Line::SCHEMA), ("order_line", 3));
    let change = Change::created(&line).unwrap();
    assert_eq!((change.id(), change.version(), change.incarnation()), ("L-1", 4, 2));
    assert_eq!(change.tenant().as_str(), "acme");
    let payload = change.payload(None);
    let text = std::str::from_utf8(&payload.bytes).unwrap();
    let after = r#""after":{"id":"L-1","tenant":"acme","revision":4,"born":2,"token":"visible","credential":{"of":"ada"},"type":[1]}"#;
    assert!(text.contains(after), "{text}");
    let stored = ChangePayload::parse(&payload.bytes).unwrap();
    let line = stored.restore::<Line>().unwrap().1.unwrap();
    let credential = line.credential.unwrap();
    assert_eq!((line.password.as_str(), credential.pin, credential.holder.as_str()), ("", 0, "ada"));
    assert_eq!((line.version, line.r#type), (4, vec![1]));
}
