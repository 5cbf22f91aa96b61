import type { QueryOptions } from "../../../lib/api";

type Personas = NonNullable<QueryOptions["personas"]>;
type Own = Exclude<Personas, string>;
type Side = keyof Own;

/** The control plane's pairs by their names; the first is the usual one. */
export const PAIRS = [
  "optimist_and_skeptic",
  "scientist_and_philosopher",
  "entrepreneur_and_regulator",
  "builder_and_operator",
  "economist_and_historian",
  "advocate_and_judge",
] as const;

const OWN = "own";
const SIDES: Side[] = ["pro", "con"];
const EMPTY = { name: "", manner: "" };

interface Props {
  personas: QueryOptions["personas"];
  onSet: (personas: Personas | null) => void;
}

/** Who the two sides of a debate are: a known pair, or one's own. */
export function PersonasField({ personas, onSet }: Props) {
  const own = typeof personas === "object" && personas ? personas : null;

  function pick(name: string): void {
    if (name === OWN) onSet({ pro: EMPTY, con: EMPTY });
    else onSet(name === PAIRS[0] ? null : name);
  }

  return (
    <>
      <label className="plan-field">
        Personas
        <select
          value={own ? OWN : typeof personas === "string" ? personas : PAIRS[0]}
          onChange={({ target }) => pick(target.value)}
        >
          {PAIRS.map((name) => (
            <option key={name} value={name}>
              {pairWords(name)}
            </option>
          ))}
          <option value={OWN}>My own…</option>
        </select>
      </label>
      {own &&
        SIDES.map((side) => (
          <fieldset key={side} className="persona">
            <legend>{side.toUpperCase()}</legend>
            <label className="plan-field">
              Name
              <input
                value={own[side].name}
                maxLength={80}
                onChange={({ target }) => onSet({ ...own, [side]: { ...own[side], name: target.value } })}
              />
            </label>
            <label className="plan-field">
              Manner
              <textarea
                rows={2}
                maxLength={2000}
                placeholder="What it is told of itself"
                value={own[side].manner}
                onChange={({ target }) => onSet({ ...own, [side]: { ...own[side], manner: target.value } })}
              />
            </label>
          </fieldset>
        ))}
    </>
  );
}

/** `optimist_and_skeptic` as `Optimist and Skeptic`. */
function pairWords(name: string): string {
  return name
    .split("_")
    .map((word) => (word === "and" ? word : word.charAt(0).toUpperCase() + word.slice(1)))
    .join(" ");
}
