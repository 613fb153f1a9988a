//! Stub impls, written beside the errors: the type still is what it was meant to be, so that its uses do not
//! fail as well.

use proc_macro2::TokenStream;
use quote::quote;
use syn::DeriveInput;

use crate::attr::{EventWords, StructWords};
use crate::ctxt::Ctxt;
use crate::valid::{core_path, events_path};

/// A stub of both traits of an entity.
pub(crate) fn entity(input: &DeriveInput) -> TokenStream {
    let core = core_path(StructWords::of_entity(&mut Ctxt::default(), &input.attrs).core);
    let fields = stub_fields(input, &core);
    let (ident, (generics, args, _)) = (&input.ident, input.generics.split_for_impl());
    quote! {
        #fields

        #[automatically_derived]
        impl #generics #core::Entity for #ident #args
        where
            Self: ::core::clone::Clone + ::core::marker::Send + ::core::marker::Sync + 'static,
        {
            const KIND: &'static str = "";
            fn id(&self) -> ::std::string::String {
                ::core::unreachable!()
            }
            fn version(&self) -> u64 {
                ::core::unreachable!()
            }
        }
    }
}

/// A stub of the fields' trait.
pub(crate) fn fields(input: &DeriveInput) -> TokenStream {
    let core = core_path(StructWords::of_nested(&mut Ctxt::default(), &input.attrs).core);
    stub_fields(input, &core)
}

fn stub_fields(input: &DeriveInput, core: &syn::Path) -> TokenStream {
    let (ident, (generics, args, bounds)) = (&input.ident, input.generics.split_for_impl());
    quote! {
        #[automatically_derived]
        impl #generics #core::Fields for #ident #args #bounds {
            fn write(&self, _: &mut #core::__private::FieldWriter<'_>) -> #core::__private::Result<()> {
                ::core::unreachable!()
            }
            fn restore(_: &mut #core::__private::FieldReader<'_>) -> #core::__private::Result<Self> {
                ::core::unreachable!()
            }
        }
    }
}

/// A stub of an event; none for a generic one, whose bounds are not known.
pub(crate) fn event(input: &DeriveInput) -> TokenStream {
    if !input.generics.params.is_empty() {
        return TokenStream::new();
    }
    let events = events_path(EventWords::of(&mut Ctxt::default(), &input.attrs).events);
    let ident = &input.ident;
    quote! {
        #[automatically_derived]
        impl #events::Event for #ident {
            const TYPE: &'static str = "";
            fn key(&self) -> ::core::option::Option<::std::string::String> {
                ::core::unreachable!()
            }
        }
    }
}
