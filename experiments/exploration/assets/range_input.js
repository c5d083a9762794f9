// The browser's own slider, which keeps its value while a person moves it.
export default {
  template: `<input type="range" class="range" :min="min" :max="max" :step="step" v-model.number="own"
    :aria-label="label" :aria-valuetext="words" @input="$emit('moved', own)">`,
  props: { min: Number, max: Number, step: Number, value: Number, label: String, words: String },
  data() { return { own: this.value }; },
  watch: { max() { this.$nextTick(() => this.$forceUpdate()); } },
  methods: { set(value) { this.own = value; } },
};
