//! Describes [`Valid<T>`] in contracts as an argument of type `T`, because validation rules do not
//! change the type.

use serde::Deserialize;

use super::DescribedArguments;
use super::describe::Describe;
use super::infer::Parameter;
use crate::event::error::PayloadError;
use crate::event::marker::Validated;
use crate::event::valid::Valid;

/// A parameter type that validates its argument.
pub trait WithRules {
    /// The argument without the validation.
    type Argument;
}

impl<T> WithRules for Valid<T> {
    type Argument = T;
}

impl<T> WithRules for Option<Valid<T>> {
    type Argument = Option<T>;
}

impl<T> WithRules for Result<Valid<T>, PayloadError> {
    type Argument = T;
}

impl<T> WithRules for Result<Option<Valid<T>>, PayloadError> {
    type Argument = Option<T>;
}

#[diagnostic::do_not_recommend]
impl<T: WithRules<Argument: Deserialize<'static> + Describe<X>>, X> Parameter<Validated, X> for T {
    fn describe(payload: &mut DescribedArguments) {
        payload.exported_argument::<T::Argument, X>();
        payload.next_parameter();
    }
}
