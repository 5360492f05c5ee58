// Checks values against the schemas of a document, as far as a browser can.

import { alternatives, resolve, rules, types } from './schema.js';

// The formats that are checked. Others may be anything.
const FORMATS = {
  'date-time': /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/,
  date: /^\d{4}-\d\d-\d\d$/,
  time: /^\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)?$/,
  duration: /^P(?!$)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?!$)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?$/,
  email: /^[^\s@]+@[^\s@]+$/,
  ipv4: /^(\d{1,3}\.){3}\d{1,3}$/,
  ipv6: /^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*$/,
  uri: /^[a-zA-Z][a-zA-Z0-9+.-]*:/,
  uuid: /^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/,
};

const article = (word) => (/^[aeiou]/.test(word) ? `an ${word}` : `a ${word}`);

function typeOf(value) {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return typeof value;
}

const isOf = (value, type) => (type === 'integer' ? Number.isInteger(value) : typeOf(value) === type);

// A text that is the same for equal values.
function canonical(value) {
  const isObject = typeOf(value) === 'object';
  const sorted = isObject ? Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1)) : value;
  return typeof sorted !== 'object' || sorted === null
    ? JSON.stringify(sorted)
    : `${isObject ? 'o' : 'a'}[${sorted.map(canonical)}]`;
}

function matches(pattern, text) {
  try {
    return new RegExp(pattern, 'u').test(text);
  } catch {
    // The pattern may be one of another language.
    return true;
  }
}

// Whether a value is outside of the bounds `least` and `most`.
const isOutside = (value, least, most) => value < (least ?? -Infinity) || value > (most ?? Infinity);

// Whether a value breaks the rules for its own type.
function breaksRules(schema, value) {
  switch (typeOf(value)) {
    case 'string':
      return isOutside([...value].length, schema.minLength, schema.maxLength)
        || ('pattern' in schema && !matches(schema.pattern, value))
        || (Object.hasOwn(FORMATS, schema.format ?? '') && !FORMATS[schema.format].test(value));
    case 'number':
      return isOutside(value, schema.minimum, schema.maximum)
        || value <= (schema.exclusiveMinimum ?? -Infinity)
        || value >= (schema.exclusiveMaximum ?? Infinity)
        || ('multipleOf' in schema && !Number.isInteger(value / schema.multipleOf));
    case 'array':
      return isOutside(value.length, schema.minItems, schema.maxItems)
        || (schema.uniqueItems && new Set(value.map(canonical)).size < value.length);
    case 'object':
      return isOutside(Object.keys(value).length, schema.minProperties, schema.maxProperties);
    default:
      return false;
  }
}

const within = (path, key) => (typeof key === 'number' ? `${path}[${key}]` : path ? `${path}.${key}` : key);

function ofMembers(schema, value, path, depth) {
  const missing = (schema.required ?? []).filter((name) => !Object.hasOwn(value, name));
  const found = missing.map((name) => ({ path: within(path, name), message: 'it is missing' }));
  for (const [name, member] of Object.entries(value)) {
    const patterns = Object.entries(schema.patternProperties ?? {}).filter(([pattern]) => matches(pattern, name)).map(([, part]) => part);
    const known = Object.hasOwn(schema.properties ?? {}, name) ? [schema.properties[name], ...patterns] : patterns;
    const parts = known.length > 0 ? known : [schema.additionalProperties ?? true];
    for (const part of parts) found.push(...problems(part, member, within(path, name), depth + 1));
  }
  return found;
}

function ofItems(schema, value, path, depth) {
  const first = schema.prefixItems ?? [];
  return value.flatMap((item, at) => problems(first[at] ?? schema.items ?? true, item, within(path, at), depth + 1));
}

// The problems of the alternative that fits best.
function ofAlternatives(schemas, value, path, depth) {
  const found = schemas.map((schema) => problems(schema, value, path, depth + 1));
  const isOfType = (list) => list.every((problem) => problem.path !== path);
  const weight = (list) => list.length + (isOfType(list) ? 0 : 1000);
  return found.reduce((best, list) => (weight(list) < weight(best) ? list : best));
}

// Returns what is wrong with a value: `[{ path, message }]`.
export function problems(schema, value, path = '', depth = 0) {
  if (schema === true || depth > 64) return [];
  const wrong = (message) => [{ path, message }];
  if (schema === false) return wrong('it is not expected');
  if (schema.$ref) return problems(resolve(schema), value, path, depth + 1);
  const allowed = types(schema);
  if (allowed.length > 0 && !allowed.some((type) => isOf(value, type))) {
    return wrong(`it is ${article(typeOf(value))}, not ${allowed.map(article).join(' or ')}`);
  }
  if ('const' in schema && canonical(schema.const) !== canonical(value)) return wrong(`it is not ${JSON.stringify(schema.const)}`);
  if (schema.enum && !schema.enum.some((one) => canonical(one) === canonical(value))) {
    return wrong(`it is none of ${schema.enum.map((one) => JSON.stringify(one)).join(', ')}`);
  }
  const found = breaksRules(schema, value) ? wrong(`it breaks a rule: ${rules(schema).join(', ')}`) : [];
  if (typeOf(value) === 'object') found.push(...ofMembers(schema, value, path, depth));
  if (Array.isArray(value)) found.push(...ofItems(schema, value, path, depth));
  const several = alternatives(schema);
  if (several) found.push(...ofAlternatives(several, value, path, depth));
  for (const part of schema.allOf ?? []) found.push(...problems(part, value, path, depth + 1));
  if (schema.not && problems(schema.not, value, path, depth + 1).length === 0) found.push(...wrong('it is excluded'));
  return found;
}
