import { type ClipboardEvent, type DragEvent, type KeyboardEvent, useEffect, useRef, useState } from "react";
import { Press } from "../../components/press";
import { say } from "../../lib/toasts";
import { readImages } from "./images";
import "./composer.css";

interface Props {
  label: string;
  canSee: boolean;
  /** Whether there is somebody to ask. */
  canSend?: boolean;
  /** Whether an answer is under way, which can be stopped. */
  asking?: boolean;
  question?: string;
  images?: string[];
  onSend: (question: string, images: string[]) => void;
  onStop?: () => void;
  /** Escape, where nothing is under way. */
  onCancel?: () => void;
  /** The up arrow in an empty field. */
  onUp?: () => void;
}

/** Where a question is written. Enter sends, Shift-Enter breaks the line, Escape stops. */
export function Composer(props: Props) {
  const { label, canSee, canSend = true, asking = false, onSend, onStop, onCancel, onUp } = props;
  const [text, setText] = useState(props.question ?? "");
  const [images, setImages] = useState(props.images ?? []);
  const field = useRef<HTMLTextAreaElement>(null);
  const isReady = canSend && !asking && (text.trim() !== "" || images.length > 0);
  useEffect(() => {
    field.current?.focus({ preventScroll: true });
    field.current?.setSelectionRange(-1, -1);
  }, []);

  function send(): void {
    if (!isReady) return;
    onSend(text.trim(), images);
    setText("");
    setImages([]);
    field.current?.focus();
  }

  function press(event: KeyboardEvent): void {
    if (event.nativeEvent.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      send();
    } else if (event.key === "Escape") {
      event.preventDefault();
      if (asking) onStop?.();
      else onCancel?.();
    } else if (event.key === "ArrowUp" && text === "" && onUp) {
      event.preventDefault();
      onUp();
    }
  }

  async function take(files: Iterable<File>): Promise<void> {
    try {
      const read = await readImages(files);
      setImages((before) => [...before, ...read]);
    } catch {
      say("This picture cannot be read. PNG and JPEG can.", { tone: "bad" });
    }
  }

  function takeFrom(event: ClipboardEvent | DragEvent, data: DataTransfer): void {
    if (![...data.files].some(({ type }) => type.startsWith("image/"))) return;
    event.preventDefault();
    if (canSee) void take(data.files);
    else say("The chosen model cannot see pictures. Choose one that can.", { tone: "bad", name: "blind" });
  }

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: a place to drop pictures; the button beside does the same
    <div
      className="composer"
      onDragOver={(event) => canSee && event.preventDefault()}
      onDrop={(event) => takeFrom(event, event.dataTransfer)}
    >
      <Pictures images={images} onDrop={(index) => setImages(images.filter((_, at) => at !== index))} />
      <textarea
        ref={field}
        rows={1}
        aria-label={label}
        placeholder="Ask something"
        enterKeyHint="send"
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={press}
        onPaste={(event) => takeFrom(event, event.clipboardData)}
      />
      <div className="composer-tools">
        {canSee && <PictureButton onPick={take} />}
        {onCancel && (
          <button type="button" className="button button-plain" onClick={onCancel}>
            Cancel
          </button>
        )}
        {asking ? (
          <button type="button" className="button" onClick={onStop}>
            STOP
          </button>
        ) : (
          <Press className="button-main" available={isReady} onPress={send}>
            ASK
          </Press>
        )}
      </div>
    </div>
  );
}

function Pictures({ images, onDrop }: { images: string[]; onDrop: (index: number) => void }) {
  if (images.length === 0) return null;
  return (
    <ul className="composer-pictures" aria-label="Pictures">
      {images.map((url, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the same picture may be there twice
        <li key={index}>
          <img src={url} alt={`Attachment ${index + 1}`} />
          <button
            type="button"
            className="button"
            aria-label={`Remove picture ${index + 1}`}
            onClick={() => onDrop(index)}
          >
            ×
          </button>
        </li>
      ))}
    </ul>
  );
}

function PictureButton({ onPick }: { onPick: (files: Iterable<File>) => void }) {
  return (
    <label className="button button-plain picture-button">
      <input
        type="file"
        className="unseen"
        accept="image/*"
        multiple
        onChange={(event) => {
          onPick([...(event.target.files ?? [])]);
          event.target.value = "";
        }}
      />
      Add picture
    </label>
  );
}
