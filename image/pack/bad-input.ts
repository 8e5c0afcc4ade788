/** Something that cannot be packed as it is: damaged, cut off, or not what its description says. */
export class BadInput extends Error {
  override readonly name = 'BadInput';
}
