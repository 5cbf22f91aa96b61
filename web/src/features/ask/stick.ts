import { type RefObject, useEffect, useRef } from "react";

const NEAR_PIXELS = 48;

/**
 * Keeps the end of the page in view while `content` grows, for those who were already there; whoever has
 * scrolled up stays where they are. What is returned goes to the end and stays there.
 */
export function useStick(content: RefObject<HTMLElement | null>): () => void {
  const isAtEnd = useRef(true);
  useEffect(() => {
    const see = () => {
      isAtEnd.current = endPixels() - scrollY <= NEAR_PIXELS;
    };
    const follow = new ResizeObserver(() => isAtEnd.current && scrollTo(0, endPixels()));
    if (content.current) follow.observe(content.current);
    addEventListener("scroll", see, { passive: true });
    return () => {
      follow.disconnect();
      removeEventListener("scroll", see);
    };
  }, [content]);
  return () => {
    isAtEnd.current = true;
    scrollTo(0, endPixels());
  };
}

const endPixels = () => document.documentElement.scrollHeight - innerHeight;
