import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type DragEvent, type FormEvent, useState } from "react";
import { adding, pathIn } from "../../lib/folders";
import { refusalOf } from "../../lib/http";
import "../words.css";
import "./folders.css";

/** A folder by its path: typed, pasted, or dropped here. */
export function AddFolder() {
  const add = useMutation(adding(useQueryClient()));
  const [path, setPath] = useState("");
  const [over, setOver] = useState(false);
  const [withoutPath, setWithoutPath] = useState<string | null>(null);
  const refusal = add.isError ? refusalOf(add.error) : null;
  function type(text: string): void {
    setPath(text);
    setWithoutPath(null);
    add.reset();
  }
  function submit(event: FormEvent): void {
    event.preventDefault();
    const wanted = pathIn(path);
    if (wanted && !add.isPending) add.mutate(wanted, { onSuccess: () => setPath("") });
  }
  function drop(event: DragEvent): void {
    event.preventDefault();
    setOver(false);
    const { dataTransfer } = event;
    const text = pathIn(dataTransfer.getData("text/uri-list") || dataTransfer.getData("text/plain"));
    type(text);
    const [file] = dataTransfer.files;
    // A browser tells a page the name of what is dropped, and never where it lies.
    if (!text && file) setWithoutPath(file.name);
  }
  return (
    <form
      className="add-folder"
      data-over={over}
      onSubmit={submit}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <input
        aria-label="Folder with models"
        placeholder="/home/me/models"
        autoComplete="off"
        spellCheck={false}
        value={path}
        onChange={(event) => type(event.target.value)}
      />
      <button type="submit" className="button" aria-disabled={path.trim() === "" || add.isPending}>
        {add.isPending ? "SEARCHING…" : "ADD FOLDER"}
      </button>
      <p className="quiet">
        Type, paste or drop the path of a folder on the machine that Synapse Engine runs on. Folders in it are
        searched too.
      </p>
      <div role="alert">
        {withoutPath && (
          <p className="refusal">
            The browser does not tell where {withoutPath} lies. Copy its path in the file manager and paste it
            here.
          </p>
        )}
        {refusal && (
          <p className="refusal">
            <strong>{refusal.error}</strong> {refusal.detail}
          </p>
        )}
      </div>
    </form>
  );
}
