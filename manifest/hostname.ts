/** Host names: templates over facts, checked as RFC 1123 says. */
import { nearest } from './nearest.ts';
import type { Facts } from './schema/facts.ts';

/** Linux keeps no longer one (HOST_NAME_MAX, gethostname(2)). */
const MAX_LENGTH = 64;
const SHORT_LENGTH = 8;

/** A host name, or everything that is wrong with it. */
export type Hostname =
  | { readonly name: string; readonly problems: readonly [] }
  | { readonly name?: never; readonly problems: readonly HostnameProblem[] };

export interface HostnameProblem {
  readonly message: string;
  readonly found: string;
  readonly allowed?: string;
  readonly suggestion?: string;
}

/** What may stand in braces, with the fact it stands for. */
const PLACEHOLDERS: Readonly<Record<string, (facts: Facts) => string | undefined>> = {
  'machine.id': ({ machine }) => machine.id,
  // The end: the beginning of a UUID or MAC is often the manufacturer's and the same for all.
  'machine.short': ({ machine }) => lettersOf(machine.id).slice(-SHORT_LENGTH),
  'machine.uuid': ({ machine }) => machine.uuid,
  'machine.serial': ({ machine }) => machine.serial,
  'machine.product': ({ machine }) => machine.product,
  'network.mac': (facts) => macOf(facts),
  'network.macShort': (facts) => macOf(facts)?.slice(-6),
};

/**
 * Fills in a template.
 * @param template e.g. `web-{machine.serial}`; a fact's other characters than letters and digits become `-`
 */
export function makeHostname(template: string, facts: Facts): Hostname {
  const problems: HostnameProblem[] = [];
  const name = template.replace(/\{([^{}]*)\}/g, (found, key: string) => {
    const fact = Object.hasOwn(PLACEHOLDERS, key) ? PLACEHOLDERS[key] : undefined;
    if (!fact) {
      const allowed = Object.keys(PLACEHOLDERS);
      const suggestion = nearest(key, allowed);
      problems.push({
        message: 'no such fact',
        found,
        allowed: allowed.map((it) => `{${it}}`).join(', '),
        ...(suggestion && { suggestion: `{${suggestion}}` }),
      });
      return 'x';
    }
    const label = toLabel(fact(facts) ?? '');
    if (label === '') problems.push({ message: 'this machine does not tell that fact', found });
    return label || 'x';
  });
  if (problems.length > 0) return { problems };
  const wrong = judge(name);
  return wrong ? { problems: [wrong] } : { name, problems: [] };
}

function judge(name: string): HostnameProblem | undefined {
  const allowed =
    'labels of a-z, 0-9 and - inside, each at most 63 characters, joined by dots; at most 64 characters (RFC 1123)';
  const valid =
    name.length <= MAX_LENGTH &&
    name.split('.').every((label) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(label));
  // Four numbers would be taken for an address (RFC 1123, section 2.1).
  if (valid && !/^[0-9.]+$/.test(name)) return undefined;
  return { message: 'not a host name', found: JSON.stringify(name.slice(0, 100)), allowed };
}

const lettersOf = (text: string): string => text.toLowerCase().replaceAll(/[^a-z0-9]/g, '');

const toLabel = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');

/** Of the wired interface with the lowest address: the order of interfaces changes between boots. */
function macOf({ network }: Facts): string | undefined {
  const wired = network.filter(({ wireless }) => !wireless);
  const [mac] = (wired.length > 0 ? wired : network).map(({ mac }) => lettersOf(mac)).sort();
  return mac;
}
