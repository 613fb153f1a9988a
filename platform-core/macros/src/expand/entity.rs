//! The code of `derive(Entity)` and `derive(Fields)`.
//! Names only what `platform_core` exports for it, by absolute paths; the docs of the traits show it by hand.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Path;

use crate::ast::{Entity, Field, Fields, Form, Member};

/// Writes both impls of an entity.
pub(crate) fn entity(input: &Entity) -> TokenStream {
    let fields = fields(&input.fields);
    let Fields { ident, core, .. } = &input.fields;
    let kind = &input.kind;
    let schema = input
        .schema
        .map(|schema| quote!(const SCHEMA: u32 = #schema;));
    let id = id(&input.id);
    let version = number("version", &input.version);
    let tenant = input.tenant.as_ref().map(|member| tenant(core, member));
    let incarnation = input
        .incarnation
        .as_ref()
        .map(|member| number("incarnation", member));
    quote! {
        #fields

        #[automatically_derived]
        impl #core::Entity for #ident {
            const KIND: &'static str = #kind;
            #schema
            #id
            #tenant
            #version
            #incarnation
        }
    }
}

/// Writes the impl of a struct's fields.
pub(crate) fn fields(input: &Fields) -> TokenStream {
    let Fields {
        ident,
        core,
        fields,
    } = input;
    let write = fields.iter().map(|field| write(core, field));
    let restore = fields.iter().map(restore);
    quote! {
        #[automatically_derived]
        impl #core::Fields for #ident {
            fn write(&self, out: &mut #core::__private::FieldWriter<'_>) -> #core::__private::Result<()> {
                #(#write)*
                #core::__private::Ok(())
            }

            fn restore(fields: &mut #core::__private::FieldReader<'_>) -> #core::__private::Result<Self> {
                #core::__private::Ok(Self { #(#restore),* })
            }
        }
    }
}

fn write(core: &Path, field: &Field) -> TokenStream {
    let Field { member, name, form } = field;
    let (ident, span) = (&member.ident, member.span());
    let class = match form {
        Form::Version => {
            return quote!(out.version(#name, <Self as #core::Entity>::version(self))?;);
        }
        Form::Nested => return quote_spanned!(span=> out.nested(#name, &self.#ident)?;),
        Form::Public => quote!(Public),
        Form::Personal { subject } => quote!(Personal { subject: &self.#subject }),
        Form::Secret => quote!(Secret),
        Form::Ignored => quote!(Ignored),
    };
    let class = quote!(#core::__private::Class::#class);
    quote_spanned!(span=> out.field(#name, #class, &self.#ident)?;)
}

fn restore(field: &Field) -> TokenStream {
    let Field { member, name, form } = field;
    let (ident, span) = (&member.ident, member.span());
    let value = match form {
        Form::Secret | Form::Ignored => quote_spanned!(span=> ::core::default::Default::default()),
        Form::Nested => quote_spanned!(span=> fields.nested(#name)?),
        Form::Public | Form::Personal { .. } | Form::Version => {
            quote_spanned!(span=> fields.field(#name)?)
        }
    };
    quote!(#ident: #value)
}

fn id(member: &Member) -> TokenStream {
    let ident = &member.ident;
    let text = quote_spanned!(member.span()=> ::std::string::ToString::to_string(&self.#ident));
    quote! {
        fn id(&self) -> ::std::string::String {
            #text
        }
    }
}

fn tenant(core: &Path, member: &Member) -> TokenStream {
    let ident = &member.ident;
    let tenant = quote_spanned!(member.span()=> #core::__private::tenant(&self.#ident));
    quote! {
        fn tenant(&self) -> #core::__private::Result<#core::__private::TenantId> {
            #tenant
        }
    }
}

fn number(name: &str, member: &Member) -> TokenStream {
    let (name, ident) = (quote::format_ident!("{name}"), &member.ident);
    let value = quote_spanned!(member.span()=> self.#ident);
    quote! {
        fn #name(&self) -> u64 {
            #value
        }
    }
}
