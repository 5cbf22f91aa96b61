import { Icon, type IconName } from "../components/icon";
import { Menu, MenuChoice } from "../components/menu";
import { Tip } from "../components/tip";
import { hrefOf } from "../lib/router";
import { useStore } from "../lib/store";
import { chooseTheme, THEMES, type Theme, theme } from "../lib/theme";
import { Connection } from "./connection";
import { FEATURES } from "./features";
import "./top-bar.css";

const THEME_ICONS: Record<Theme, IconName> = { system: "screen", light: "sun", dark: "moon" };
const THEME_LABELS: Record<Theme, string> = { system: "As the system", light: "Light", dark: "Dark" };

interface TopBarProps {
  path: string;
  onPalette: () => void;
  onKeys: () => void;
}

/** Whose page this is, where one can go, and how things stand with the control plane. */
export function TopBar({ path, onPalette, onKeys }: TopBarProps) {
  return (
    <header className="top-bar">
      <a className="brand" href={hrefOf("")} aria-label="Synapse Engine">
        <svg className="brand-mark" viewBox="0 0 32 32" aria-hidden="true">
          <path d="M7 24C7 11 25 21 25 8" />
          <circle className="brand-from" cx="7" cy="24" r="4.5" />
          <circle className="brand-to" cx="25" cy="8" r="5" />
        </svg>
        <span className="brand-name">Synapse Engine</span>
      </a>
      <nav className="pages" aria-label="Pages">
        {FEATURES.map((feature) => (
          <a
            key={feature.path}
            href={hrefOf(feature.path)}
            aria-current={feature.path === path ? "page" : undefined}
          >
            {feature.label}
          </a>
        ))}
      </nav>
      <div className="top-tools">
        <Connection />
        <button type="button" className="button palette-button" onClick={onPalette}>
          <Icon name="search" />
          <span className="palette-words">Do something…</span>
          <kbd>{isMac() ? "⌘" : "Ctrl"} K</kbd>
        </button>
        <Tip text="Keys (?)">
          <button type="button" className="button button-icon keys-button" aria-label="Keys" onClick={onKeys}>
            <Icon name="keys" />
          </button>
        </Tip>
        <ThemeMenu />
      </div>
    </header>
  );
}

function ThemeMenu() {
  const chosen = useStore(theme);
  const options = THEMES.map((value) => ({ value, label: THEME_LABELS[value] }));
  return (
    <Menu
      button={
        <button type="button" className="button button-icon" aria-label="Light or dark">
          <Icon name={THEME_ICONS[chosen]} />
        </button>
      }
    >
      <MenuChoice label="Light or dark" value={chosen} options={options} onPick={chooseTheme} />
    </Menu>
  );
}

function isMac(): boolean {
  return navigator.userAgent.includes("Mac");
}
