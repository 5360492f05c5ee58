/** A typed array or a `DataView`. Payloads are JSON, so none of them has the symbol as a key. */
type BytesView = globalThis.ArrayBufferView & { readonly [globalThis.Symbol.toStringTag]: string };
/** The type `T` with its binary data replaced by `Bytes`. */
type WithBytes<T, Bytes> = [HasNoBytes<T>] extends [never] ? ReplaceBytes<T, Bytes> : T;
type ReplaceBytes<T, Bytes> = T extends (...args: infer A) => infer R
  ? (...args: EachWithBytes<A, Bytes>) => WithBytes<R, Bytes>
  : T extends ArrayBuffer | BytesView | globalThis.Blob
    ? Bytes
    : T extends unknown[]
      ? number extends T["length"] ? ArrayWithBytes<T[number], Bytes> : EachWithBytes<T, Bytes>
      : T extends object ? EachWithBytes<T, Bytes> : T;
type EachWithBytes<T, Bytes> = { [K in keyof T]: WithBytes<T[K], Bytes> };
interface ArrayWithBytes<T, Bytes> extends Array<WithBytes<T, Bytes>> {}
/** Recursive types without binary data, which are not mapped. */
type HasNoBytes<T> = IsSame<T, any>;
type IsSame<T, U> = (<X>() => X extends T ? 1 : 2) extends <X>() => X extends U ? 1 : 2 ? true : never;
