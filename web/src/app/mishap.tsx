import { Component, type ReactNode } from "react";
import { Banner } from "../components/banner";

/** Keeps the rest of the page when one part of it breaks: most often because a newer page is being served. */
export class Mishap extends Component<{ children: ReactNode }, { failure: Error | null }> {
  override state: { failure: Error | null } = { failure: null };

  static getDerivedStateFromError(failure: Error) {
    return { failure };
  }

  override render() {
    const { failure } = this.state;
    if (failure === null) return this.props.children;
    return (
      <Banner tone="bad" title="This page could not be shown">
        <p>{failure.message}</p>
        <p>
          <button type="button" className="button" onClick={() => location.reload()}>
            Load it again
          </button>
        </p>
      </Banner>
    );
  }
}
