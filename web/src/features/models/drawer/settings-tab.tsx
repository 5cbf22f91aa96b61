import { useMemo, useState } from "react";
import type { EngineOption, Model } from "../../../lib/api";
import { countWords } from "../../../lib/format";
import { refusalOf } from "../../../lib/http";
import { useChoice, useEdit } from "../actions";
import { COMMON_NAMES, type OptionHelp, OWN_NAMES, useOptionHelp } from "../options";
import { PortField } from "../port-field";
import { type Drafts, draftsAfter, refusedName, settingValue, shownText } from "../settings";
import { TierSelect } from "../tier-select";
import { changeDrafts, discardDrafts, useDrafts } from "./drafts";
import { Estimate } from "./estimate";
import { type Edit, usePlan, useSettled } from "./plans";
import { SaveBar } from "./save-bar";
import { type FieldState, SettingField } from "./setting-field";
import "../../../components/bar.css";
import "./settings.css";

/** Every setting with its default, its explanation and its cost. Nothing is changed before it is saved. */
export function SettingsTab({ model }: { model: Model }) {
  const help = useOptionHelp(model);
  const options = useMemo(() => optionsOf(model, help), [model, help]);
  const drafts = useDrafts(model.model_id);
  const edit = useMemo(() => editOf(drafts, options), [drafts, options]);
  const settled = useSettled(edit);
  const saved = usePlan(model, {});
  const plan = usePlan(model, settled);
  const save = useEdit(model, "here");
  const refusal = fieldRefusalOf(save.error ?? plan.error, options);
  const has = Object.keys(drafts).length > 0;
  const state: FieldState = { model, drafts, edit: settled, plan: plan.data, refusal, onType: type };
  function type(name: string, text: string): void {
    save.reset();
    const option = options.get(name);
    const before = option ? shownText(option, model.settings[name]) : "";
    changeDrafts(model.model_id, (all) => draftsAfter(all, name, text, before));
  }
  return (
    <div className="settings-tab">
      {plan.data && (
        <section className="drawer-part" aria-label="Memory of the model">
          <Estimate model={model} plan={plan.data} before={has ? saved.data : undefined} />
        </section>
      )}
      <Place model={model} />
      <Options options={options} state={state} />
      {!model.settings_verified && <p className="quiet">No engine was there to check these names against.</p>}
      <SaveBar
        model={model}
        names={Object.keys(drafts)}
        plan={plan.data}
        before={saved.data}
        isSaving={save.isPending}
        refusal={refusal}
        onDiscard={() => {
          save.reset();
          discardDrafts(model.model_id);
        }}
        onSave={(onTaken) =>
          save.mutate(
            { settings: editOf(drafts, options) },
            {
              onSuccess: () => {
                discardDrafts(model.model_id);
                onTaken?.();
              },
            },
          )
        }
      />
    </div>
  );
}

/** What is chosen of the model beside its settings; taken at once. */
function Place({ model }: { model: Model }) {
  const { shown, choose } = useChoice(model, "enabled", model.enabled);
  return (
    <div className="settings-place">
      <label className="bar-check">
        <input
          type="checkbox"
          aria-label={`Enabled ${model.display_name}`}
          checked={shown ?? false}
          onChange={(event) => choose(event.target.checked)}
        />
        Enabled: START ALL includes it, and requests may start it
      </label>
      <span className="settings-labelled">
        <span aria-hidden="true">Tier</span> <TierSelect model={model} />
      </span>
      <span className="settings-labelled">
        <span aria-hidden="true">Port</span> <PortField model={model} />
      </span>
    </div>
  );
}

interface OptionsProps {
  options: ReadonlyMap<string, EngineOption>;
  state: FieldState;
}

function Options({ options, state }: OptionsProps) {
  const [search, setSearch] = useState("");
  const [onlyChanged, setOnlyChanged] = useState(false);
  const all = [...options.values()];
  const isChanged = ({ name }: EngineOption) => name in state.drafts || name in state.model.settings;
  const wanted = search.trim().toLowerCase();
  const found = all.filter((option) => (!onlyChanged || isChanged(option)) && matches(option, wanted));
  return (
    <>
      <div className="drawer-bar settings-search">
        <input
          type="search"
          aria-label="Search the settings"
          placeholder={`Search ${all.length} settings`}
          value={search}
          onChange={(event) => setSearch(event.target.value)}
        />
        <label className="bar-check">
          <input
            type="checkbox"
            checked={onlyChanged}
            onChange={(event) => setOnlyChanged(event.target.checked)}
          />
          Only those that are set ({all.filter(isChanged).length})
        </label>
      </div>
      {wanted || onlyChanged ? (
        <Group title={countWords(found.length, "setting")} options={found} state={state} />
      ) : (
        <Grouped all={all} isChanged={isChanged} state={state} />
      )}
    </>
  );
}

interface GroupedProps {
  all: EngineOption[];
  isChanged: (option: EngineOption) => boolean;
  state: FieldState;
}

function Grouped({ all, isChanged, state }: GroupedProps) {
  const [open, setOpen] = useState(false);
  const common = COMMON_NAMES.flatMap((name) => all.filter((option) => option.name === name));
  const isFirst = (option: EngineOption) => COMMON_NAMES.includes(option.name) || OWN_NAMES.has(option.name);
  const changed = all.filter((option) => !isFirst(option) && isChanged(option));
  const rest = all
    .filter((option) => !isFirst(option) && !changed.includes(option))
    .sort((a, b) => Number(a.is_deprecated) - Number(b.is_deprecated));
  return (
    <>
      <Group title="Of llama-server" options={[...common, ...changed]} state={state} />
      <Group
        title="Of Synapse Engine"
        options={all.filter(({ name }) => OWN_NAMES.has(name))}
        state={state}
      />
      {rest.length > 0 && (
        <details className="settings-rest" onToggle={(event) => setOpen(event.currentTarget.open)}>
          <summary>All {rest.length} others of llama-server</summary>
          {open && <Group title="" options={rest} state={state} />}
        </details>
      )}
    </>
  );
}

function Group({ title, options, state }: { title: string; options: EngineOption[]; state: FieldState }) {
  return (
    <section className="drawer-part">
      {title && <h3>{title}</h3>}
      <ul className="settings-fields">
        {options.map((option) => (
          <SettingField key={option.name} option={option} state={state} />
        ))}
      </ul>
    </section>
  );
}

/** All that the engine knows, then what is set and no engine explains. */
function optionsOf({ settings }: Model, help: OptionHelp): ReadonlyMap<string, EngineOption> {
  const unexplained = Object.keys(settings).filter((name) => !help.has(name) && name !== "variants");
  return new Map([
    ...help,
    ...unexplained.map((name): [string, EngineOption] => [name, unexplainedOption(name, settings[name])]),
  ]);
}

function unexplainedOption(name: string, value: unknown): EngineOption {
  const kind = typeof value === "boolean" ? "switch" : "text";
  const words = "The engine's help has no such name; it may be another spelling of one that it has.";
  return { name, hint: "", help: words, kind, choices: [], default: null, is_deprecated: false };
}

function editOf(drafts: Drafts, options: ReadonlyMap<string, EngineOption>): Edit {
  return Object.fromEntries(
    Object.entries(drafts).flatMap(([name, text]) => {
      const option = options.get(name);
      return option ? [[name, settingValue(option, text)]] : [];
    }),
  );
}

export interface Refusal {
  name: string | null;
  words: string;
}

function fieldRefusalOf(failure: Error | null, options: ReadonlyMap<string, EngineOption>): Refusal | null {
  if (failure === null) return null;
  const { error, detail } = refusalOf(failure);
  return { name: refusedName(error, detail, options.keys()), words: `${error}. ${detail}` };
}

function matches({ name, help, hint }: EngineOption, wanted: string): boolean {
  if (wanted === "") return true;
  const spelled = wanted.replace(/^-+/, "").replaceAll("-", "_");
  return name.includes(spelled) || `${help} ${hint}`.toLowerCase().includes(wanted);
}
