import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Press } from "../../../components/press";
import { memoryWords } from "../../../lib/format";
import { beginning, isUnderWay } from "./downloads";
import { fitOf } from "./fit";
import type { Download, Offer, Repository } from "./wire";

interface OffersProps {
  repository: Repository;
  downloads: Download[];
}

/** The models of a repository, smallest first, each with what it takes and whether it fits. */
export function Offers({ repository, downloads }: OffersProps) {
  const { repo, offers, gated, disk_free_mb } = repository;
  if (offers.length === 0)
    return (
      <p className="quiet">
        {repo} holds no GGUF files. Look for a repository of the same name that ends in -GGUF.
      </p>
    );
  return (
    <section className="fetch-offers" aria-label={`Offers of ${repo}`}>
      <h3>{repo}</h3>
      {gated && (
        <p className="fetch-gated">
          Its files are only for those who have accepted its terms: accept them on its page, and set HF_TOKEN
          for the control plane.
        </p>
      )}
      <ul className="offers">
        {offers.map((offer) => (
          <OfferLine
            key={offer.file}
            repo={repo}
            offer={offer}
            download={downloads.find(({ id }) => id === offer.download_id) ?? ofOffer(downloads, repo, offer)}
          />
        ))}
      </ul>
      <p className="quiet">
        {memoryWords(disk_free_mb)} are free on the disk. Memory is for a context of 8k.
      </p>
    </section>
  );
}

interface LineProps {
  repo: string;
  offer: Offer;
  download: Download | undefined;
}

function OfferLine({ repo, offer, download }: LineProps) {
  const begin = useMutation(beginning(useQueryClient()));
  const { quantization, file, size_mb, shards, has_projector, estimated_memory_mb, is_recommended } = offer;
  const name = quantization ?? file;
  const fit = fitOf(offer);
  const isHere = offer.is_here || download?.status === "done";
  const isComing = download !== undefined && isUnderWay(download);
  return (
    <li className="offer" data-recommended={is_recommended}>
      <div className="offer-name">
        <strong>{name}</strong>
        {is_recommended && <span className="offer-mark">recommended</span>}
        <span className="quiet">
          {memoryWords(size_mb)}
          {shards > 1 && ` in ${shards} files`}
          {has_projector && ", with a projector for pictures or sound"}
        </span>
      </div>
      <span className="offer-fit" data-fit={fit.fit}>
        <span aria-hidden="true">{fit.sign}</span> {fit.words}, ~{memoryWords(estimated_memory_mb)}
      </span>
      <Press
        className={is_recommended && !isHere ? "button-main" : ""}
        aria-label={`FETCH ${name} of ${repo}`}
        available={!begin.isPending && !isHere && !isComing && offer.fits_disk}
        onPress={() => begin.mutate({ repo, file })}
      >
        {isHere ? "HERE" : isComing ? "FETCHING" : download ? "GO ON" : "FETCH"}
      </Press>
    </li>
  );
}

/** One that began after the repository was looked at. */
function ofOffer(downloads: Download[], repo: string, offer: Offer): Download | undefined {
  return downloads.find((one) => one.repo === repo && one.files[0]?.path === offer.files[0]?.path);
}
