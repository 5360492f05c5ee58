// What the programs see to by themselves. The types have to agree, too.

export function expect<T>(actual: T, expected: NoInfer<T>): void {
  const [left, right] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (left !== right) throw new Error(`${left} is not ${right}`);
}

/** Resolves with what `listen` hears first. */
export function heard<T>(listen: (hear: (value: T) => void) => unknown): Promise<T> {
  return new Promise((resolve) => void listen(resolve));
}

/** Fails with this. */
export async function failure(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
}
