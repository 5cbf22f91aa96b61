import { Dialog } from "../../../components/dialog";
import { AddFolder } from "../../../components/folders/add-folder";
import { Looked } from "../../../components/folders/looked";
import { FetchPanel } from "./fetch-panel";

/** Models from Hugging Face, over the table. */
export default function FetchDialog({ repo, onClose }: { repo: string; onClose: () => void }) {
  return (
    <Dialog open onClose={onClose} title="Fetch a model from Hugging Face" shape="drawer">
      <div className="fetch-dialog">
        <FetchPanel repo={repo} onDone={onClose} />
        <section className="fetch-folders" aria-label="Folders">
          <h3>Or show where models are</h3>
          <AddFolder />
          <Looked skipped={[]} />
        </section>
      </div>
    </Dialog>
  );
}
