//! Names of the caller do not matter to the code that is written.
//! Also when the struct itself comes from a macro.

#![no_implicit_prelude]
#![deny(warnings)]
#![allow(dead_code, reason = "the names only have to be in the way")]

struct Result;
struct Option;
struct String;
struct Vec;
struct Default;
struct Class;
struct Fields;
struct Entity;
struct Error;

macro_rules! entity {
    ($name:ident, $kind:literal, $id:ident: $ty:ty, $hidden:ident) => {
        #[derive(::std::clone::Clone, ::platform_core::Entity)]
        #[entity(kind = $kind)]
        struct $name {
            #[entity(id)]
            $id: $ty,
            #[entity(version)]
            fields: u64,
            #[entity(personal(subject = "id"))]
            out: $ty,
            #[entity(secret)]
            $hidden: u8,
            #[entity(nested)]
            nested: Inner,
        }
    };
}

entity!(Order, "order", id: u32, pin);

#[derive(::std::clone::Clone, ::platform_core::Fields)]
struct Inner {
    #[entity(secret)]
    secret: u8,
}

fn main() {
    let inner = Inner { secret: 1 };
    let order = Order { id: 7, fields: 1, out: 2, pin: 3, nested: inner };
    ::std::assert!(::platform_core::Change::created(&order).is_ok());
}
