// Shows the schemas of a document in words, and makes example values.

import { element } from './element.js';
import { prose } from './prose.js';

let schemas = {};

// Sets the schemas that references point to.
export function use(named) {
  schemas = named;
}

const SCHEMAS = '#/components/schemas/';

export const anchor = (name) => `schema-${name}`;

// Returns the schema that a reference points to.
export function resolve(schema) {
  return schema?.$ref?.startsWith(SCHEMAS) ? (schemas[schema.$ref.slice(SCHEMAS.length)] ?? {}) : (schema ?? {});
}

export const types = (schema) => [schema.type ?? []].flat();

export const alternatives = (schema) => schema.oneOf ?? schema.anyOf;

// Describes a range, such as `2 to 8 characters`.
function range(least, most, unit = '') {
  const bounds = least === undefined ? `at most ${most}` : most === undefined ? `at least ${least}` : least === most ? `${least}` : `${least} to ${most}`;
  return least === undefined && most === undefined ? [] : [`${bounds}${unit}`];
}

// The rules of a schema for its values, in words.
export function rules(schema) {
  if (typeof schema !== 'object') return [];
  return [
    ...range(schema.minLength, schema.maxLength, ' characters'),
    ...('pattern' in schema ? [`matches ${schema.pattern}`] : []),
    ...('format' in schema && types(schema).includes('string') ? [schema.format] : []),
    ...range(schema.minimum, schema.maximum),
    ...('exclusiveMinimum' in schema ? [`more than ${schema.exclusiveMinimum}`] : []),
    ...('exclusiveMaximum' in schema ? [`less than ${schema.exclusiveMaximum}`] : []),
    ...('multipleOf' in schema ? [`a multiple of ${schema.multipleOf}`] : []),
    ...range(schema.minItems, schema.maxItems, ' items'),
    ...(schema.uniqueItems ? ['no item twice'] : []),
    ...range(schema.minProperties, schema.maxProperties, ' members'),
    ...('default' in schema && schema.default !== null ? [`default ${JSON.stringify(schema.default)}`] : []),
  ];
}

// Describes a schema on one line. Names of other schemas are links.
export function line(schema) {
  if (typeof schema !== 'object') return [schema === false ? 'nothing' : 'anything'];
  if (schema.$ref) {
    const name = schema.$ref.slice(SCHEMAS.length);
    return [element('a', { href: `#${anchor(name)}` }, name)];
  }
  const between = (parts, separator) => parts.flatMap((part, at) => (at ? [separator, ...part] : part));
  if ('const' in schema) return [JSON.stringify(schema.const)];
  if (schema.enum) return [schema.enum.map((value) => JSON.stringify(value)).join(' | ')];
  if (alternatives(schema)) return between(alternatives(schema).map(line), ' | ');
  if (schema.allOf && !schema.properties) return between(schema.allOf.map(line), ' & ');
  if (schema.prefixItems) return ['[', ...between(schema.prefixItems.map(line), ', '), ']'];
  const words = types(schema).map((type) => {
    if (type === 'array') return schema.maxItems === 0 ? ['[]'] : ['array of ', ...line(schema.items ?? true)];
    const values = schema.additionalProperties;
    if (type === 'object' && !schema.properties && typeof values === 'object') return ['object of ', ...line(values)];
    return [schema.contentEncoding ? `${type} (${schema.contentEncoding})` : type];
  });
  return words.length > 0 ? between(words, ' | ') : ['anything'];
}

// Describes a schema with its parts.
export function shown(schema, depth = 0) {
  if (typeof schema !== 'object') return [element('code', {}, line(schema))];
  const parts = [];
  if (schema.deprecated) parts.push(element('p.deprecated', {}, 'Deprecated.'));
  if (schema.description) parts.push(prose(schema.description, 'div.prose.quiet'));
  if (schema.properties) {
    const rows = Object.entries(schema.properties).map(([name, property]) => {
      const required = schema.required?.includes(name);
      const nested = depth < 4 && consists(property) ? shown(property, depth + 1) : brief(property);
      return element('tr', {}, element('td', {}, element('code', {}, name), element('span.quiet', {}, required ? '' : ' (optional)')),
        element('td', {}, nested));
    });
    parts.push(element('table', {}, rows));
  }
  const several = schema.allOf ?? alternatives(schema) ?? schema.prefixItems;
  if (several && depth < 4 && (schema.properties || several.some(consists) || schema.prefixItems)) {
    const items = several.map((part) => element('li', {}, part.title ? element('code', {}, `${part.title}: `) : '',
      consists(part) ? shown(part, depth + 1) : brief(part)));
    parts.push(element('ul.schema', {}, items));
  }
  if (parts.length === 0 || (!schema.properties && !several)) parts.unshift(element('code', {}, line(schema)), listed(schema));
  return parts;
}

// Whether a schema does not fit on one line.
const consists = (schema) => typeof schema === 'object' && !schema.$ref
  && Boolean(schema.properties || (alternatives(schema) ?? schema.allOf ?? schema.prefixItems)?.some(consists));

const listed = (schema) => rules(schema).map((rule) => element('span.rule', {}, rule));

// Describes a schema that fits on one line.
function brief(schema) {
  return [
    element('code', {}, line(schema)),
    listed(schema),
    schema?.deprecated ? element('span.deprecated', {}, 'deprecated') : '',
    schema?.description ? prose(schema.description, 'div.prose.quiet') : '',
  ];
}

const EXAMPLES = {
  'date-time': '2030-01-31T12:00:00Z',
  'partial-date-time': '2030-01-31T12:00:00',
  date: '2030-01-31',
  time: '12:00:00Z',
  uuid: '00000000-0000-4000-8000-000000000000',
  uri: 'https://example.org/',
  email: 'someone@example.org',
  ipv4: '127.0.0.1',
  ipv6: '::1',
  duration: 'PT1M',
};

// Makes a value that a schema allows. A recursive schema gets the shortest value.
export function example(schema, depth = 0) {
  if (typeof schema !== 'object' || schema === null) return null;
  if (depth > 12) return null;
  const inner = (part) => example(part, depth + 1);
  if ('default' in schema) return schema.default;
  if (schema.examples?.length) return schema.examples[0];
  if ('const' in schema) return schema.const;
  if (schema.enum) return schema.enum[0];
  if (schema.$ref) return inner(resolve(schema));
  const some = alternatives(schema);
  // A reference may lead back to this schema. `null` ends the recursion.
  const isNull = (part) => part.type === 'null';
  const chosen = some && (depth > 4 && some.find(isNull) || some.find((part) => !isNull(part)) || some[0]);
  const parts = [...(schema.allOf ?? []), ...(chosen ? [chosen] : [])].map(inner);
  const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
  if (schema.properties || parts.filter(isObject).length > 1) {
    const properties = Object.entries(schema.properties ?? {}).filter(([name]) => depth < 4 || schema.required?.includes(name));
    return Object.assign({}, ...parts.filter(isObject), Object.fromEntries(properties.map(([name, part]) => [name, inner(part)])));
  }
  if (parts.length > 0) return parts[0];
  if (schema.prefixItems) return schema.prefixItems.map(inner);
  switch (types(schema).find((type) => type !== 'null')) {
    case 'string':
      if (schema.contentEncoding === 'base64') return 'aGVsbG8=';
      return EXAMPLES[schema.format] ?? 'text'.padEnd(schema.minLength ?? 0, '.').slice(0, schema.maxLength);
    case 'integer':
    case 'number':
      return Math.min(Math.max(1, schema.minimum ?? 1), schema.maximum ?? Infinity);
    case 'boolean':
      return true;
    case 'array': {
      const count = schema.minItems ?? (depth < 4 && schema.items && schema.maxItems !== 0 ? 1 : 0);
      return Array.from({ length: count }, () => inner(schema.items ?? true));
    }
    case 'object': {
      const values = schema.additionalProperties;
      return typeof values === 'object' && depth < 4 ? { key: inner(values) } : {};
    }
    default:
      return null;
  }
}
