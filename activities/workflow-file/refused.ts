/** A workflow file that is not run. */
export class Refused extends Error {
  override readonly name = 'Refused';
  /** What a person does about it. */
  readonly remedy: string;

  /** @param why one sentence without full stop, or lines of mistakes */
  constructor(why: string, remedy: string, options?: ErrorOptions) {
    super(why, options);
    this.remedy = remedy;
  }
}
