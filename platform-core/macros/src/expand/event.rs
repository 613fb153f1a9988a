//! The code of `derive(Event)`.
//! Names the trait in `platform_events` and the tenant in `platform_core`, by absolute paths.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use crate::ast::{Event, Member};

/// Writes the impl of an event.
pub(crate) fn event(input: &Event) -> TokenStream {
    let Event {
        ident,
        events,
        name,
        schema,
        key,
        tenant,
    } = input;
    let schema = schema.map(|schema| quote!(const SCHEMA: u32 = #schema;));
    let key = key
        .as_ref()
        .map_or_else(|| quote!(::core::option::Option::None), key_text);
    let tenant = tenant.as_ref().map(tenant_fn);
    quote! {
        #[automatically_derived]
        impl #events::Event for #ident {
            const TYPE: &'static str = #name;
            #schema

            fn key(&self) -> ::core::option::Option<::std::string::String> {
                #key
            }

            #tenant
        }
    }
}

fn key_text(member: &Member) -> TokenStream {
    let ident = &member.ident;
    let text = quote_spanned!(member.span()=> ::std::string::ToString::to_string(&self.#ident));
    quote!(::core::option::Option::Some(#text))
}

fn tenant_fn(member: &Member) -> TokenStream {
    let ident = &member.ident;
    let tenant =
        quote_spanned!(member.span()=> ::platform_core::__private::event_tenant(&self.#ident));
    quote! {
        fn tenant(&self) -> ::core::option::Option<::platform_core::TenantId> {
            #tenant
        }
    }
}
