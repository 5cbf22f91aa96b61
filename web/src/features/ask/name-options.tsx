import type { Target } from "./targets";

/** For a `select`: every name that can be asked, in its group. */
export function NameOptions({ targets }: { targets: Target[] }) {
  const groups = [...new Set(targets.map(({ group }) => group))];
  return groups.map((group) => (
    <optgroup key={group} label={group}>
      {targets
        .filter((target) => target.group === group)
        .map(({ name, label }) => (
          <option key={name} value={name}>
            {label}
          </option>
        ))}
    </optgroup>
  ));
}
