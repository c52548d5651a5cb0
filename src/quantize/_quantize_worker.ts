/** A thread that quantises pieces of matrices for {@linkcode QuantizeThreads}. */
import { type PieceAnswer, type PieceRequest, quantizePiece } from "./_piece.ts";

/** The part of a worker's global scope that is needed here; lib.dom knows another one. */
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<PieceRequest>) => void;
  postMessage: (answer: PieceAnswer, transfer: Transferable[]) => void;
};

scope.onmessage = ({ data }) => {
  const piece = quantizePiece(data);
  if (piece === undefined) scope.postMessage({}, []);
  else scope.postMessage({ piece }, [piece.packed.buffer, piece.scales.buffer]);
};
