/** A thread that loads and runs graphs for {@linkcode SessionThread}. */
import { answerRequests } from "./answer_requests.ts";
import { Session } from "./session.ts";

answerRequests(Session);
