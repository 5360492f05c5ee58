//! `contract! { … }`: generates a type that describes the events of a server.

mod export;
mod parse;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Type, Visibility};

use crate::checks::require;
use crate::errors::Errors;
use crate::extent::Extent;
use crate::{events, krate, signature};
use export::Export;
use parse::{Contract, Handler, Item, Namespace};

pub(crate) fn expand(tokens: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let Contract { attributes, exports, visibility, name, namespaces } = parse::parse(tokens, &mut errors);
    let errors = errors.into_tokens();
    let Some(name) = name else { return errors };
    let krate = krate::path();
    let text = name.to_string();
    let doc = signature::doc(&attributes);
    let conditions = signature::conditions(&attributes);
    let names = Names {
        description: Ident::new("description", Span::mixed_site()),
        exports: Ident::new("exports", Span::mixed_site()),
    };
    let namespaces = namespaces.iter().map(|namespace| render(namespace, &names));
    let exported = [(exports.typescript, "typescript"), (exports.asyncapi, "asyncapi")];
    let exported = exported.into_iter().filter_map(|(export, name)| Some((export?, name)));
    let (described, implemented): (Vec<_>, Vec<_>) =
        exported.map(|(export, method)| render_export(&export, method, &visibility, &name, &names)).unzip();
    let Names { description, exports } = &names;
    quote! {
        #(#attributes)*
        #[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
        #visibility struct #name;

        #conditions
        #[automatically_derived]
        #[allow(deprecated, elided_lifetimes_in_paths, unused_imports, unused_qualifications)]
        impl #krate::Contract for #name {
            fn describe() -> #krate::Description {
                use #krate::__private::{
                    AnyErrors as _, NoAnswer as _, NoErrors as _, Settled as _, Unnamed as _,
                };
                use #krate::bounds::{FallibleReply as _, ValueAnswer as _, ValueReply as _};
                let #exports = #krate::__private::Exports::NONE;
                #(#described)*
                let mut #description = #krate::Description::new(#text, #doc);
                #(#namespaces)*
                #description
            }
        }
        #(#conditions #implemented)*
        #errors
    }
}

/// The local variables of the generated function.
struct Names {
    description: Ident,
    exports: Ident,
}

/// Renders an export: its statement in the description, and its functions on the contract's type.
fn render_export(
    export: &Export,
    method: &str,
    visibility: &Option<Visibility>,
    name: &Ident,
    Names { exports, .. }: &Names,
) -> (TokenStream, TokenStream) {
    let krate = krate::path();
    let condition = export.condition();
    let method = Ident::new(method, Span::mixed_site());
    let implement = Ident::new(&format!("__export_{method}"), Span::mixed_site());
    // If the crate lacks the feature, the error underlines the export's name.
    let implement = Extent::of(&export.word).path(quote!(#krate::#implement!));
    (quote!(#condition let #exports = #exports.#method();), quote!(#condition #implement { #visibility #name }))
}

/// Renders a namespace of the description.
fn render(namespace: &Namespace, names: &Names) -> TokenStream {
    let Names { description, exports } = names;
    let Namespace { doc, path, receives, emits } = namespace;
    let namespace = Ident::new("namespace", Span::mixed_site());
    let received = receives.iter().map(|item| with_conditions(item, part(&item.value)));
    let emitted = emits.iter().map(|item| with_conditions(item, placeholder(&item.value)));
    let receives_once = receives.iter().enumerate().map(|(at, item)| {
        let named = require(
            &item.value,
            quote!(!PARTS[AT].is_nameless()),
            "no client can send this event: its handler has no name\n\nhelp: leave it out: a contract has events of the form \
             `#[event(\"name\")]`",
        );
        check(&receives[..at], item, &events::missing(&item.value.path), named)
    });
    let emits_once = emits.iter().enumerate().map(|(at, item)| check(&emits[..at], item, "", TokenStream::new()));
    let receive = receives.iter().enumerate().map(|(at, item)| receive(&receives[..at], item, &namespace, exports));
    let emit = emits.iter().map(|item| emit(item, &namespace, exports));
    let (received, emitted) = (table(received), table(emitted));
    quote! {
        {
            let #namespace = #description.namespace(#path, #doc);
            {
                #received
                #(#receives_once)*
                #(#receive)*
            }
            {
                #emitted
                #(#emits_once)*
                #(#emit)*
            }
        }
    }
}

/// Renders the table of the events in a list, which detects duplicates.
fn table(parts: impl Iterator<Item = TokenStream>) -> TokenStream {
    let krate = krate::path();
    quote! {
        const PARTS: &[#krate::__private::Part] = &[#(#parts),*];
        const COUNT: usize = #krate::__private::count(PARTS);
        static TABLE: #krate::__private::Table<COUNT, { #krate::__private::slot_count(COUNT) }> =
            #krate::__private::Table::build(PARTS);
        const VERDICTS: [#krate::__private::Verdict; PARTS.len()] = TABLE.verdicts(PARTS);
    }
}

fn with_conditions<T>(item: &Item<T>, tokens: TokenStream) -> TokenStream {
    let conditions = &item.conditions;
    quote!(#conditions #tokens)
}

/// Renders a handler's entry in the table.
fn part(handler: &Handler) -> TokenStream {
    let krate = krate::path();
    match &handler.method {
        None => events::handler(&handler.path.path),
        Some((ty, method)) => {
            let parts = Extent::of(ty).constant(ty, &quote!(#krate::EventSource), "PARTS");
            let method = method.to_string();
            quote!(#krate::__private::Part::method(#parts, #method))
        }
    }
}

/// Renders a payload type's entry in the table.
fn placeholder(ty: &Type) -> TokenStream {
    let krate = krate::path();
    quote! {{
        const EVENT: #krate::__private::Handler =
            #krate::__private::Handler::placeholder(#krate::__private::Key::of_payload(#krate::__private::Named::<#ty>::EVENT));
        #krate::__private::Part::One(&EVENT)
    }}
}

/// Renders the check that an item has the right kind and that no earlier item has the same event.
fn check<T: ToTokens>(before: &[Item<T>], item: &Item<T>, missing: &str, more: TokenStream) -> TokenStream {
    let krate = krate::path();
    let Item { conditions, value } = item;
    let position = position(before);
    let at = Extent::of(value);
    let once = at.call(at.path(quote!(#krate::__private::require_once)), quote!(&VERDICTS[AT], #missing));
    quote! {
        #conditions
        const _: () = { #position #once; #more };
    }
}

/// Renders the constant `AT`: the item's position in the table.
fn position<T>(before: &[Item<T>]) -> TokenStream {
    let before = before.iter().map(|Item { conditions, .. }| quote!(#conditions ()));
    quote! {
        const AT: usize = {
            const BEFORE: &[()] = &[#(#before),*];
            BEFORE.len()
        };
    }
}

/// Renders an event that clients send.
fn receive(before: &[Item<Handler>], item: &Item<Handler>, namespace: &Ident, exports: &Ident) -> TokenStream {
    let krate = krate::path();
    let Item { conditions, value: Handler { path, .. } } = item;
    let position = position(before);
    let at = Extent::of(path);
    let function = at.call(at.path(quote!(#krate::DescribedArguments::of)), quote!(#path, #exports));
    let local = Span::mixed_site();
    let returned = Ident::new("returned", at.start);
    let reply = at.call(quote_spanned!(at.end=> (&#returned).reply), TokenStream::new());
    quote_spanned! {local=>
        #conditions
        {
            #position
            let (payload, #returned) = #function;
            let #returned = #returned.settled();
            let reply = #reply;
            #namespace.receives(PARTS[AT].handler(), payload, reply, (&#returned).errors());
        }
    }
}

/// Renders an event that the server emits.
fn emit(item: &Item<Type>, namespace: &Ident, exports: &Ident) -> TokenStream {
    let krate = krate::path();
    let Item { conditions, value: ty } = item;
    let at = Extent::of(ty);
    let local = Span::mixed_site();
    let start = quote_spanned!(at.start=> #krate::bounds::Emitted::of::<);
    let emitted = at.call(quote_spanned!(at.end=> #start #ty, _ >), exports.to_token_stream());
    let asked = Ident::new("asked", at.start);
    let answer = at.call(quote_spanned!(at.end=> (&#asked).answer), TokenStream::new());
    let reply = at.call(quote_spanned!(at.end=> (&#asked).reply), TokenStream::new());
    quote_spanned! {local=>
        #conditions
        {
            let (emitted, #asked) = #emitted;
            let #asked = #answer;
            let reply = #reply;
            #namespace.emits(emitted, reply);
        }
    }
}
