import "./light.css";

const AROUND = 2 * Math.PI * 7;

/** A lamp. The words beside it say the same, so it is silent; `progress` (0 to 1) draws a ring around it. */
export function Light({ colour, progress = null }: { colour: string; progress?: number | null }) {
  return (
    <svg className="light" data-colour={colour} viewBox="0 0 18 18" aria-hidden="true" focusable="false">
      <circle className="light-ground" cx="9" cy="9" r="9" />
      <circle className="light-lamp" cx="9" cy="9" r="4.5" />
      {colour === "amber" && (
        <circle
          className={progress === null ? "light-ring light-ring-unknown" : "light-ring"}
          cx="9"
          cy="9"
          r="7"
          strokeDasharray={`${AROUND * (progress ?? 0.25)} ${AROUND}`}
        />
      )}
      {colour === "red" && <path className="light-cross" d="M7.2 7.2l3.6 3.6M10.8 7.2l-3.6 3.6" />}
    </svg>
  );
}
