/** How a model answers one request many times. */
export interface DecoupledSettings {
  /** The output whose first element that is not zero comes with the last response; empty for none. */
  readonly lastOutput: string;
  /** Responses to a request. */
  readonly responsesMax: number;
  readonly feedbacks: readonly FeedbackSettings[];
}

/** An output that becomes an input of the next run. */
export interface FeedbackSettings {
  readonly outputName: string;
  readonly inputName: string;
}
