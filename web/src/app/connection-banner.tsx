import { Banner } from "../components/banner";
import { ApiError, Unreachable } from "../lib/http";
import { keyWanted } from "../lib/key";

/** Said when the last look at the control plane failed; goes away by itself. */
export function ConnectionBanner({ failure }: { failure: Error | null }) {
  if (failure === null) return null;
  if (failure instanceof Unreachable) {
    return (
      <Banner tone="bad" title="The control plane is unreachable">
        What is shown may be out of date. Trying again every few seconds. If it does not run, start it with{" "}
        <code>synapse serve</code>.
      </Banner>
    );
  }
  if (failure instanceof ApiError && failure.status === 401) {
    return (
      <Banner tone="warn" title="An API key is needed">
        <p>The models of this control plane are shown to whoever has its key.</p>
        <p>
          <button type="button" className="button" onClick={() => keyWanted.set("absent")}>
            Enter key
          </button>
        </p>
      </Banner>
    );
  }
  const { error, detail } = failure instanceof ApiError ? failure : { error: failure.message, detail: "" };
  return (
    <Banner tone="bad" title={error}>
      {detail}
    </Banner>
  );
}
