import { TableBox } from "../../../components/table-box";
import type { QueryRecord } from "../../../lib/api";
import { rateWords, secondsWords } from "../../../lib/format";
import { useNames } from "./names";
import { roundsOf } from "./reading";
import { Seats } from "./seats";

/** One question to several models: answers side by side, and a table of what they took. */
export function Compare({ record }: { record: QueryRecord }) {
  const seats = roundsOf(record.turns).flatMap(({ seats }) => seats);
  return (
    <>
      <Seats record={record} label="Answers" seats={seats} />
      <FiguresTable record={record} />
    </>
  );
}

function FiguresTable({ record }: { record: QueryRecord }) {
  const { labelOf } = useNames();
  const turns = record.turns.filter(({ figures }) => figures);
  if (turns.length === 0) return null;
  return (
    <TableBox label="Figures">
      <table className="plain-table">
        <thead>
          <tr>
            {[
              "Model",
              "First token",
              "Total",
              "Waited",
              "Loaded",
              "Prompt",
              "Prompt t/s",
              "Output",
              "Output t/s",
            ].map((head) => (
              <th key={head} scope="col">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {turns.map(
            ({ turn, model, figures }) =>
              figures && (
                <tr key={turn}>
                  <th scope="row">{labelOf(model)}</th>
                  <td>{secondsWords(figures.first_token_seconds)}</td>
                  <td>{secondsWords(figures.total_seconds)}</td>
                  <td>{secondsWords(figures.queue_seconds)}</td>
                  <td>{secondsWords(figures.load_seconds)}</td>
                  <td>{figures.prompt_tokens ?? "–"}</td>
                  <td>{rateWords(figures.prompt_per_second)}</td>
                  <td>{figures.output_tokens ?? "–"}</td>
                  <td>{rateWords(figures.output_per_second)}</td>
                </tr>
              ),
          )}
        </tbody>
      </table>
    </TableBox>
  );
}
