import type { ReactNode } from "react";
import "./banner.css";

interface BannerProps {
  tone: "bad" | "warn" | "calm";
  title: string;
  children?: ReactNode;
}

/** What the person should know before anything else on the page. */
export function Banner({ tone, title, children }: BannerProps) {
  return (
    <div className="banner" data-tone={tone} role={tone === "bad" ? "alert" : "status"}>
      <strong className="banner-title">{title}</strong>
      {children && <div className="banner-text">{children}</div>}
    </div>
  );
}
