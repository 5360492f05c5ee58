//! Renders a handler's entry in the table: its event, and the call of its function.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::Type;
use syn::ext::IdentExt;

use crate::attribute::{Attribute, EventKind};
use crate::checks::has_name;
use crate::extent::Extent;
use crate::krate;
use crate::signature::{Handler, Output};

/// Renders the entry of a handler that has errors and cannot be called.
pub(crate) fn stub(handler: &Handler) -> TokenStream {
    let krate = krate::path();
    let Handler { ident, names, .. } = handler;
    let function = ident.unraw().to_string();
    quote! {
        #krate::__private::Handler {
            key: #krate::__private::Key::Invalid,
            doc: "",
            deprecated: ::core::option::Option::None,
            call: #krate::__private::Call::Sync(|_| #krate::__private::Outcome::Done),
            concurrent: false,
            timeout: #krate::__private::Timeout::OfHub,
            needs: &[],
            source: #krate::__private::Source { function: #function, parameters: &[#(#names),*], ..#krate::__private::Source::NOWHERE },
        }
    }
}

/// Renders the entry of a handler. `callee` is the function's path.
pub(crate) fn entry(attribute: &Attribute, handler: &Handler, callee: &TokenStream, is_method: bool) -> TokenStream {
    let krate = krate::path();
    let source = source(handler, is_method);
    let key = key(attribute, handler);
    let Handler { doc, deprecated, .. } = handler;
    let concurrent = attribute.concurrent.is_some();
    let timeout = match attribute.timeout.as_ref().map(|timeout| timeout.milliseconds) {
        None => quote!(OfHub),
        Some(None) => quote!(Off),
        Some(Some(milliseconds)) => quote!(Milliseconds(#milliseconds)),
    };
    let call = call(attribute, handler, callee);
    let named = handler.parameters.iter().filter(|parameter| has_name(parameter));
    quote! {
        {
            #[allow(unused_imports)]
            use #krate::__private::Unnamed as _;
            #krate::__private::Handler {
                key: #key,
                doc: #doc,
                deprecated: #deprecated,
                call: #call,
                concurrent: #concurrent,
                timeout: #krate::__private::Timeout::#timeout,
                needs: &[#(#krate::__private::Named::<#named>::NEED),*],
                source: #source,
            }
        }
    }
}

/// Renders where the function is defined.
fn source(handler: &Handler, is_method: bool) -> TokenStream {
    let krate = krate::path();
    let Handler { ident, names, .. } = handler;
    let function = ident.unraw().to_string();
    let of = match is_method {
        true => quote!(::core::option::Option::Some(#krate::__private::Source::of::<Self>)),
        false => quote!(::core::option::Option::None),
    };
    quote! {
        #krate::__private::Source {
            place: (::core::module_path!(), ::core::line!(), ::core::column!()),
            of: #of,
            function: #function,
            parameters: &[#(#names),*],
        }
    }
}

fn key(attribute: &Attribute, handler: &Handler) -> TokenStream {
    let krate = krate::path();
    match &attribute.event {
        EventKind::Name(name) => quote!(#krate::__private::Key::Name(#name)),
        EventKind::Lifecycle(lifecycle) => {
            let variant = Ident::new(lifecycle.variant, Span::mixed_site());
            quote!(#krate::__private::Key::Lifecycle(#krate::__private::Lifecycle::#variant))
        }
        EventKind::Reauthenticate(_) => quote!(#krate::__private::Key::Name(#krate::__private::REAUTHENTICATE)),
        EventKind::Fallback(_) => quote!(#krate::__private::Key::Fallback),
        EventKind::Inferred | EventKind::Unknown => match handler.parameters.last() {
            Some(payload) => {
                let name = Extent::of(payload).constant(payload, &quote!(#krate::Event), "NAME");
                quote!(#krate::__private::Key::Name(#name))
            }
            // The event is unknown, and an error was reported for it.
            None => quote!(#krate::__private::Key::Invalid),
        },
    }
}

/// Renders the call of the function. Its arguments are extracted from the event in order; their
/// types are inferred from the call.
///
/// The generated names are hygienic, so a handler may have any of them.
fn call(attribute: &Attribute, handler: &Handler, callee: &TokenStream) -> TokenStream {
    let krate = krate::path();
    let Handler { ident, parameters, is_async, receiver, output, .. } = handler;
    let local = Span::mixed_site();
    let names: Vec<_> = (0..parameters.len()).map(|at| format_ident!("argument_{at}", span = local)).collect();
    let takes = parameters.iter().map(|parameter| take(attribute, parameter));
    let this = receiver.then(|| quote_spanned!(local=> #krate::__private::receiver::<Self>(&incoming.this),));
    let called = quote!(#callee(#this #(#names),*));
    // Errors about the reply underline its type.
    let answer = match output {
        Output::Type { ty, .. } => Extent::of(ty),
        Output::Nothing => Extent::of(ident),
    };
    let of = answer.call(answer.path(quote!(of)), answer.field("returned"));
    let outcome = quote_spanned!(local=> (&#krate::__private::Probe(&returned.0, incoming)).kind().#of);
    let (kind, failed, outcome) = if *is_async {
        let at = Extent::of(ident);
        let outcome = quote_spanned!(local=> |returned| { let returned = (returned,); #outcome });
        let future =
            at.call(at.path(quote!(#krate::bounds::HandlerFuture::of)), quote_spanned!(at.end=> future, #outcome));
        (
            quote!(Async),
            quote_spanned!(local=> ::core::result::Result::Err(error)),
            quote_spanned!(local=> let future = #called; ::core::result::Result::Ok(#future)),
        )
    } else {
        (
            if attribute.blocking.is_some() { quote!(Blocking) } else { quote!(Sync) },
            quote_spanned!(local=> #krate::__private::Outcome::Failed(error)),
            quote_spanned!(local=> let returned = (#called,); #outcome),
        )
    };
    quote_spanned! {local=>
        #krate::__private::Call::#kind(|incoming| {
            #[allow(unused_imports)]
            use #krate::__private::{FallibleKind as _, ValueKind as _};
            #[allow(unused_mut, unused_variables)]
            let mut arguments = #krate::Arguments::new(incoming);
            #(
                let #names = match #takes {
                    ::core::result::Result::Ok(value) => value,
                    ::core::result::Result::Err(error) => return #failed,
                };
            )*
            #outcome
        })
    }
}

fn take(attribute: &Attribute, parameter: &Type) -> TokenStream {
    let krate = krate::path();
    let at = Extent::of(parameter);
    let local = Span::mixed_site();
    match &attribute.event {
        EventKind::Lifecycle(lifecycle) => {
            let event = Ident::new(lifecycle.variant, Span::mixed_site());
            let event = at.path(quote!(#krate::marker::#event));
            let start = quote_spanned!(at.start=> #krate::bounds::LifecycleArgument::<'_, #event>);
            at.call(quote_spanned!(at.end=> #start::from_lifecycle), quote_spanned!(local=> &mut arguments))
        }
        _ => at.call(at.path(quote!(#krate::Argument::from_event)), quote_spanned!(local=> &mut arguments)),
    }
}
