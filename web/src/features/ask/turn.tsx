import { memo } from "react";
import { CopyButton } from "../../components/copy-button";
import { AnswerView } from "./answer";
import { Composer } from "./composer";
import type { Turn } from "./conversation";
import type { Target } from "./targets";
import "./turn.css";

interface Props {
  turn: Turn;
  targets: Target[];
  canSee: boolean;
  isLast: boolean;
  isEdited: boolean;
  onEdit: (turnId: string | null) => void;
  onSendInstead: (turnId: string, question: string, images: string[]) => void;
  onRetry: (turnId: string, column: number, model: string) => void;
}

/** A question and what each column's model said to it. */
export const TurnView = memo(function TurnView(props: Props) {
  const { turn, targets, canSee, isLast, isEdited, onEdit, onSendInstead, onRetry } = props;
  return (
    <article className="turn" aria-label="Question and answers">
      {isEdited ? (
        <Composer
          label="Edit the question"
          canSee={canSee || turn.images.length > 0}
          question={turn.question}
          images={turn.images}
          onSend={(question, images) => onSendInstead(turn.id, question, images)}
          onCancel={() => onEdit(null)}
        />
      ) : (
        <Question turn={turn} onEdit={() => onEdit(turn.id)} />
      )}
      <div className="answers" data-columns={turn.answers.length}>
        {turn.answers.map((answer, column) => (
          <AnswerView
            // biome-ignore lint/suspicious/noArrayIndexKey: a column is its place
            key={column}
            answer={answer}
            targets={targets}
            onRetry={isLast ? (model) => onRetry(turn.id, column, model) : null}
          />
        ))}
      </div>
    </article>
  );
});

function Question({ turn, onEdit }: { turn: Turn; onEdit: () => void }) {
  return (
    <div className="question">
      {turn.images.map((url, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the same picture may be there twice
        <img key={index} src={url} alt={`Attachment ${index + 1}`} />
      ))}
      <p>{turn.question}</p>
      <div className="question-tools">
        <button type="button" className="button button-plain" onClick={onEdit}>
          Edit
        </button>
        {turn.question && <CopyButton label="Copy the question" text={turn.question} />}
      </div>
    </div>
  );
}
