import type { QueryOptions } from "../../../lib/api";
import { NumberField, Switch } from "./fields";
import type { Plan } from "./kinds";
import { PersonasField } from "./personas";

export interface OptionsProps {
  plan: Plan;
  /** null takes a choice back. */
  onSet: (options: QueryOptions) => void;
}

export function CouncilOptions({ plan: { models, options }, onSet }: OptionsProps) {
  return (
    <>
      {models.length === 0 && (
        <NumberField
          label="Members"
          least={3}
          most={8}
          usual={3}
          value={options.members}
          onSet={(members) => onSet({ members })}
        />
      )}
      <Switch
        label="Refine answers after the reviews"
        usual
        value={options.refine}
        onSet={(refine) => onSet({ refine })}
      />
    </>
  );
}

export function DebateOptions({ plan: { options }, onSet }: OptionsProps) {
  return (
    <>
      <PersonasField personas={options.personas} onSet={(personas) => onSet({ personas })} />
      <NumberField
        label="Turns of both together, at most"
        least={2}
        most={40}
        usual={6}
        value={options.turns}
        onSet={(turns) => onSet({ turns })}
      />
      <Switch
        label="A moderator between the rounds"
        value={options.moderator}
        onSet={(moderator) => onSet({ moderator })}
      />
    </>
  );
}

export function BenchmarkOptions({ plan: { options }, onSet }: OptionsProps) {
  return (
    <Switch
      label="Ask all at once (their speeds then are not their own)"
      value={options.in_parallel}
      onSet={(in_parallel) => onSet({ in_parallel })}
    />
  );
}
