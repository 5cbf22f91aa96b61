import { Dialog } from "../../../components/dialog";
import { FetchPanel } from "./fetch-panel";

/** Models from Hugging Face, over the table. */
export default function FetchDialog({ repo, onClose }: { repo: string; onClose: () => void }) {
  return (
    <Dialog open onClose={onClose} title="Fetch a model from Hugging Face" shape="drawer">
      <div className="fetch-dialog">
        <FetchPanel repo={repo} onDone={onClose} />
      </div>
    </Dialog>
  );
}
