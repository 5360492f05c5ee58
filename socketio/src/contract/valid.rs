//! In a contract, [`Valid<T>`] is an argument like `T`: the rules say nothing of its form.

use serde::Deserialize;

use super::infer::Parameter;
use super::{Describe, DescribedArguments};
use crate::event::error::PayloadError;
use crate::event::marker::Validated;
use crate::event::valid::Valid;

macro_rules! valid_parameters {
    ($($parameter:ty => $argument:ty)*) => {$(
        #[diagnostic::do_not_recommend]
        impl<T: Deserialize<'static> + Describe + 'static> Parameter<Validated> for $parameter
        where
            $argument: Describe,
        {
            fn describe(payload: &mut DescribedArguments) {
                payload.argument::<$argument>();
                payload.next_parameter();
            }
        }
    )*};
}

valid_parameters! {
    Valid<T> => T
    Option<Valid<T>> => Option<T>
    Result<Valid<T>, PayloadError> => T
    Result<Option<Valid<T>>, PayloadError> => Option<T>
}
